"""The errors that a task reports to a person."""


class TaskError(Exception):
    """A task cannot go on, and a person can do something about it: the text is one line that says what and where."""

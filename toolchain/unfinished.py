"""What is said last about an `up` or `down` that failed: which resources, and what to do.

Pulumi's own last words are its list of diagnostics, among them those of resources that were cut off only because
another failed. Doing the same again goes on from there: what is done is in the state.
"""

import json
import re
from collections.abc import Iterable, Mapping

# Azure's, Kubernetes' and Databricks' words for it (simulator/{azure,kubernetes,databricks}.py say where from).
THROTTLED = re.compile(r"\b429\b|too many requests|has to be retried", re.IGNORECASE)


def failures(events: Iterable[str]) -> dict[str, str]:
    """What failed, with the reason, from the lines of an event log."""
    failed, reasons = {}, {}
    for line in events:
        event = json.loads(line)
        if "resOpFailedEvent" in event:
            urn = event["resOpFailedEvent"]["metadata"]["urn"]
            failed[urn] = f"{urn.split('::')[2].rpartition('$')[2]} {urn.rpartition('::')[2]}"
        elif "diagnosticEvent" in event and event["diagnosticEvent"]["severity"] == "error":
            reasons[event["diagnosticEvent"].get("urn")] = event["diagnosticEvent"]["message"]
    return {name: reasons.get(urn, "") for urn, name in failed.items()}


def explanation(stack: str, again: str, failed: Mapping[str, str], counts: Mapping[str, int] | None) -> str | None:
    """The last line about an operation that failed; None where Pulumi's own message says all.

    `again` is the command that goes on, `counts` what changed all the same, by kind of change.
    """
    if failed:
        throttled = all(THROTTLED.search(reason) for reason in failed.values())
        what = "the cloud had too many requests: wait some minutes" if throttled else "put right what it says above"
        return f"stack {stack} is not finished, for {', '.join(sorted(failed))} failed; {what}, then `{again}` goes on"
    if counts is not None and not counts.keys() - {"same"}:
        return f"stack {stack} is as it was: put right what is said above, then `{again}`"
    return None

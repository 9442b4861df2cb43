"""What the program does first: less of the Databricks SDK is loaded than there is."""

import json
import subprocess
import sys

PROGRAM = """
import gc, json, sys
import stacks.quick_start
import pulumi_databricks as databricks
found = [databricks.StorageCredential.__name__, databricks.get_job is databricks.get_job, callable(databricks.get_job)]
found += [gc.isenabled(), "pulumi_databricks.sql_table" in sys.modules]
try:
    databricks.SqlTables
except AttributeError as error:
    found.append(str(error))
print(json.dumps(found))
"""


def test_a_class_is_loaded_from_the_module_of_its_name_and_no_other():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [
        "StorageCredential",
        True,
        True,
        False,
        False,
        "module 'pulumi_databricks' has no class 'SqlTables' in a module of its name",
    ]

import stacks.quick_start  # noqa: F401 - before the program loads SDKs
from stacks.program import main

main()

"""Giving away what a stack created, so that it can use it as existing: nothing of it is deleted with its declaration.

`pulumi state delete` cannot do this: it refuses what other resources depend on, and all depend on the resource group.
"""

import pulumi
from pulumi import ResourceOptions, ResourceTransformationArgs, ResourceTransformationResult

KEPT = ResourceOptions(retain_on_delete=True, protect=False)
"""Pulumi refuses to let go of what is protected, even where it would keep it.
Source: https://www.pulumi.com/docs/iac/concepts/options/retainondelete/"""


def keep() -> None:
    """From here on, the cloud keeps each declared resource when the stack declares it no longer."""
    pulumi.runtime.register_stack_transformation(_kept)


def _kept(declared: ResourceTransformationArgs) -> ResourceTransformationResult:
    return ResourceTransformationResult(declared.props, ResourceOptions.merge(declared.opts, KEPT))

#!/bin/sh
# Builds the validation image of a stack in its registry, which needs no Docker: sh services/validation/build.sh STACK
# ACR_AGENT_POOL names the agent pool that builds, for a registry without a public address.
set -eu

stack=${1:?say which stack: dev, staging or prod}
cd "$(dirname "$0")/../.."

outputs=$(.venv/bin/python -m toolchain.stack outputs --stack "$stack" --cloud azure)
registry=$(printf '%s' "$outputs" | .venv/bin/python -c 'import json, sys
print(json.load(sys.stdin).get("container_registry", ""))')
if [ -z "$registry" ]; then
    printf 'error: stack %s has no container registry yet: make up STACK=%s CLOUD=azure\n' "$stack" "$stack" >&2
    exit 1
fi
image=$(.venv/bin/python -c 'import pathlib, sys
from stacks.settings import Settings
print(Settings.load(pathlib.Path(sys.argv[1])).validation.image)' "Pulumi.$stack.yaml")

# What is sent is little: .dockerignore lets nothing else through.
exec az acr build --registry "${registry%%.*}" --image "$image" --file services/validation/Dockerfile \
    ${ACR_AGENT_POOL:+--agent-pool "$ACR_AGENT_POOL"} .

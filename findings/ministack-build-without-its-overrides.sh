#!/usr/bin/env bash
# ministack 1.5.33: CodeBuild's StartBuild drops what it is told for this one build. The build that it answers, and
# BatchGetBuilds after it, have the project's variables and image.
#
# Seen:
#   VERSION, which the project sets to 1 and the build to 2: 1
#   IMAGE_TAG, which the build alone sets: absent
#   the image: aws/codebuild/standard:7.0
#   the status: SUCCEEDED
#
# CodeBuild shows and uses the overrides. Whoever starts builds by program, with a commit or an image tag as a variable,
# tests just that: here a program that forgets them and one that gives them look the same.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check boto3==1.44.5
python3 -m venv "$work/venv-ministack" # It takes one version of botocore alone.
"$work/venv-ministack/bin/pip" install --quiet --no-compile --disable-pip-version-check ministack==1.5.33
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { for _ in {1..300}; do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done; exit 1; }
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
ministack=$(free_port)
BIND_HOST=127.0.0.1 GATEWAY_PORT=$ministack TMPDIR=$work "$work/venv-ministack/bin/ministack" >"$work/ministack.log" 2>&1 & pids+=($!)
listens "$ministack"
export ENDPOINT=http://127.0.0.1:$ministack
"$work/venv/bin/python" - <<'PYTHON'
import os, sys
import boto3

builds = boto3.client("codebuild", endpoint_url=os.environ["ENDPOINT"])
builds.create_project(
    name="app",
    source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: ['true']}}\n"},
    artifacts={"type": "NO_ARTIFACTS"},
    environment={
        "type": "LINUX_CONTAINER",
        "image": "aws/codebuild/standard:7.0",
        "computeType": "BUILD_GENERAL1_SMALL",
        "environmentVariables": [{"name": "VERSION", "value": "1"}],
    },
    serviceRole="arn:aws:iam::000000000000:role/build",
)
started = builds.start_build(
    projectName="app",
    imageOverride="aws/codebuild/amazonlinux-x86_64-standard:5.0",
    environmentVariablesOverride=[{"name": "VERSION", "value": "2"}, {"name": "IMAGE_TAG", "value": "abc"}],
)["build"]["id"]
build = builds.batch_get_builds(ids=[started])["builds"][0]
variables = {one["name"]: one["value"] for one in build["environment"]["environmentVariables"]}
version, tag = variables.get("VERSION"), variables.get("IMAGE_TAG", "absent")
image, status = build["environment"]["image"], build["buildStatus"]
print("VERSION, which the project sets to 1 and the build to 2:", version)
print("IMAGE_TAG, which the build alone sets:", tag)
print("the image:", image)
print("the status:", status)
seen = (version, tag, image, status) == ("1", "absent", "aws/codebuild/standard:7.0", "SUCCEEDED")
sys.exit(0 if seen else "this has changed")
PYTHON

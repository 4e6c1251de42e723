#!/usr/bin/env bash
# moto 5.2.5 and ministack 1.5.33: a second call with the token of the first is another call. RunInstances with the same
# ClientToken launches a second instance; CreateStack with the same ClientRequestToken answers AlreadyExistsException.
#
# Seen:
#   moto: 2 instances for one token, the stack: AlreadyExistsException
#   ministack: 2 instances for one token, the stack: AlreadyExistsException
#
# With AWS the second RunInstances answers with the instance of the first, and CreateStack knows by the token that the
# caller does not try to make another stack of the name. Whoever retries after a lost answer relies on this; on both
# emulators a right program seems to make two of everything, and its test has to look for what is there instead.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'moto[server]==5.2.5' boto3==1.44.5
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { for _ in {1..300}; do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done; exit 1; }
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
moto=$(free_port)
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$moto" >"$work/moto.log" 2>&1 & pids+=($!)
listens "$moto"
export MOTO=http://127.0.0.1:$moto
python3 -m venv "$work/venv-ministack" # It takes one version of botocore alone.
"$work/venv-ministack/bin/pip" install --quiet --no-compile --disable-pip-version-check ministack==1.5.33
ministack=$(free_port)
BIND_HOST=127.0.0.1 GATEWAY_PORT=$ministack TMPDIR=$work "$work/venv-ministack/bin/ministack" >"$work/ministack.log" 2>&1 & pids+=($!)
listens "$ministack"
export MINISTACK=http://127.0.0.1:$ministack
"$work/venv/bin/python" - <<'PYTHON'
import os, sys
import boto3
from botocore.exceptions import ClientError

TEMPLATE = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
seen = []
for name in ("moto", "ministack"):
    ec2, stacks = (boto3.client(one, endpoint_url=os.environ[name.upper()]) for one in ("ec2", "cloudformation"))
    image = ec2.describe_images()["Images"][0]["ImageId"]
    launch = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "ClientToken": "the-same-token"}
    ids = {ec2.run_instances(**launch)["Instances"][0]["InstanceId"] for _ in range(2)}
    stack = {"StackName": "one", "TemplateBody": TEMPLATE, "ClientRequestToken": "the-same-token"}
    stacks.create_stack(**stack)
    try:
        stacks.create_stack(**stack)
        again = "the first one"
    except ClientError as error:
        again = error.response["Error"]["Code"]
    print(f"{name}: {len(ids)} instances for one token, the stack: {again}")
    seen.append((len(ids), again))
sys.exit(0 if seen == [(2, "AlreadyExistsException")] * 2 else "this has changed")
PYTHON

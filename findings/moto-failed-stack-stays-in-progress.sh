#!/usr/bin/env bash
# moto 5.2.5: a resource that cannot be made fails CreateStack itself, with the error of the resource's own service. The
# stack stays in CREATE_IN_PROGRESS for ever, and what was made before stays too.
#
# Seen:
#   CreateStack: ParameterAlreadyExists
#   the stack: CREATE_IN_PROGRESS
#   queues that are left: 1
#
# CloudFormation takes the template, then rolls back to ROLLBACK_COMPLETE, deletes the queue, and gives the reason in
# the events (ministack 1.5.33 does so). A pipeline's handling of a failed stack, which is what most needs a test, is
# never reached here; and a clean-up that first waits for the stack to settle waits until its time is over.
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
export ENDPOINT=http://127.0.0.1:$moto
"$work/venv/bin/python" - <<'PYTHON'
import json, os, sys
import boto3
from botocore.exceptions import ClientError

stacks, ssm, sqs = (boto3.client(one, endpoint_url=os.environ["ENDPOINT"]) for one in ("cloudformation", "ssm", "sqs"))
ssm.put_parameter(Name="/taken", Type="String", Value="by somebody else")
template = {
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Parameter": {
            "Type": "AWS::SSM::Parameter",
            "DependsOn": "Queue",
            "Properties": {"Name": "/taken", "Type": "String", "Value": "ours"},
        },
    }
}
try:
    stacks.create_stack(StackName="app", TemplateBody=json.dumps(template))
    answer = "taken"
except ClientError as error:
    answer = error.response["Error"]["Code"]
print("CreateStack:", answer)
state = stacks.describe_stacks(StackName="app")["Stacks"][0]["StackStatus"]
print("the stack:", state)
left = len(sqs.list_queues().get("QueueUrls", []))
print("queues that are left:", left)
seen = (answer, state, left) == ("ParameterAlreadyExists", "CREATE_IN_PROGRESS", 1)
sys.exit(0 if seen else "this has changed")
PYTHON

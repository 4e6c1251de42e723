#!/usr/bin/env bash
# moto 5.2.5: `DeletionPolicy: Retain` holds when the stack is deleted, and not when an update takes the resource out of
# the template: then the resource is deleted.
#
# Seen:
#   taken out by an update: deleted
#   left by the deletion of the stack: kept
#
# CloudFormation keeps it in both cases, and moving a resource to another stack begins with just that update. A test of
# such a move finds the bucket or queue gone and blames the template; ministack 1.5.33 keeps it.
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

stacks, sqs = (boto3.client(one, endpoint_url=os.environ["ENDPOINT"]) for one in ("cloudformation", "sqs"))
kept = {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
other = {"Type": "AWS::SNS::Topic"}


def body(**resources):
    return json.dumps({"Resources": resources})


def queue(name):
    there = any(url.endswith(f"/{name}") for url in sqs.list_queues().get("QueueUrls", []))
    return "kept" if there else "deleted"


for name in ("moved", "dropped"):
    stacks.create_stack(
        StackName=name, TemplateBody=body(Queue=kept | {"Properties": {"QueueName": name}}, Topic=other)
    )
    assert queue(name) == "kept"
stacks.update_stack(StackName="moved", TemplateBody=body(Topic=other))
stacks.delete_stack(StackName="dropped")
print("taken out by an update:", queue("moved"))
print("left by the deletion of the stack:", queue("dropped"))
sys.exit(0 if (queue("moved"), queue("dropped")) == ("deleted", "kept") else "this has changed")
PYTHON

#!/usr/bin/env bash
# moto 5.2.5: a stack is updated with another value of a parameter. What refers to the parameter is changed; what depends
# on it by a condition (Fn::If) stays as it was, and the stack says UPDATE_COMPLETE.
#
# Seen:
#   the stack: UPDATE_COMPLETE
#   the queue with Ref: 60
#   the queue with Fn::If: 30
#
# With CloudFormation both queues have 60. A switch of a template, such as "which update strategy", can be tried here only
# by a new stack for each of its values.
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

stacks, queues = (boto3.client(one, endpoint_url=os.environ["ENDPOINT"]) for one in ("cloudformation", "sqs"))
queue = lambda seconds: {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": seconds}}
template = json.dumps({
    "Parameters": {"Seconds": {"Type": "String", "Default": "30"}},
    "Conditions": {"IsLong": {"Fn::Equals": [{"Ref": "Seconds"}, "60"]}},
    "Resources": {"ByRef": queue({"Ref": "Seconds"}), "ByIf": queue({"Fn::If": ["IsLong", "60", "30"]})},
})
stacks.create_stack(StackName="app", TemplateBody=template)
long = [{"ParameterKey": "Seconds", "ParameterValue": "60"}]
stacks.update_stack(StackName="app", TemplateBody=template, Parameters=long)
status = stacks.describe_stacks(StackName="app")["Stacks"][0]["StackStatus"]

def seconds(name):
    url = stacks.describe_stack_resource(StackName="app", LogicalResourceId=name)["StackResourceDetail"]["PhysicalResourceId"]
    url = url if url.startswith("http") else queues.get_queue_url(QueueName=url)["QueueUrl"]
    return queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["VisibilityTimeout"]

by_ref, by_if = seconds("ByRef"), seconds("ByIf")
print("the stack:", status)
print("the queue with Ref:", by_ref)
print("the queue with Fn::If:", by_if)
sys.exit(0 if (status, by_ref, by_if) == ("UPDATE_COMPLETE", "60", "30") else "this has changed")
PYTHON

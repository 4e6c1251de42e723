#!/usr/bin/env bash
# moto 5.2.5: DescribeStackResources has an entry for a resource whose condition is false. It has neither a logical id nor
# a type.
#
# Seen:
#   entries: 2
#   with a name: Always
#   the other has a type: False
#
# CloudFormation makes no such resource and lists none, and its model says that both members are required. A script that
# looks for a resource by its type ends with a KeyError here.
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

stacks = boto3.client("cloudformation", endpoint_url=os.environ["ENDPOINT"])
role = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}
policy = {"PolicyName": "p", "Roles": [{"Ref": "Always"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}}
template = json.dumps({
    "Conditions": {"No": {"Fn::Equals": ["a", "b"]}},
    "Resources": {
        "Always": {"Type": "AWS::IAM::Role", "Properties": role},
        "Never": {"Type": "AWS::IAM::Policy", "Condition": "No", "Properties": policy},
    },
})
stacks.create_stack(StackName="app", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
listed = stacks.describe_stack_resources(StackName="app")["StackResources"]
named = [one["LogicalResourceId"] for one in listed if "LogicalResourceId" in one]
print("entries:", len(listed))
print("with a name:", ", ".join(named))
nameless = [one for one in listed if "LogicalResourceId" not in one]
print("the other has a type:", any("ResourceType" in one for one in nameless))
sys.exit(0 if len(listed) == 2 and named == ["Always"] and not any("ResourceType" in one for one in nameless) else "this has changed")
PYTHON

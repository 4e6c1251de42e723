#!/usr/bin/env bash
# moto 5.2.5: CreateStack refuses a template with an output whose condition is false when that output has an Export and
# gets an attribute of a resource under the same condition. Without the Export the same template is taken.
#
# Seen:
#   without Export: taken, no outputs
#   with Export: ValidationError
#
# CloudFormation makes an output only when its condition holds (User Guide, "CloudFormation template Outputs syntax"). So a
# template with an optional resource and its export, the usual way to hand it to another stack, looks broken here. Where
# nobody imports the value, an output without an Export passes.
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

cloudformation = boto3.client("cloudformation", endpoint_url=os.environ["ENDPOINT"])


def template(output):
    return json.dumps({
        "Conditions": {"WithQueue": {"Fn::Equals": ["yes", "no"]}},
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Queue": {"Type": "AWS::SQS::Queue", "Condition": "WithQueue"},
        },
        "Outputs": {
            "QueueArn": {"Condition": "WithQueue", "Value": {"Fn::GetAtt": ["Queue", "Arn"]}} | output
        },
    })


def made(name, output):
    try:
        cloudformation.create_stack(StackName=name, TemplateBody=template(output))
    except ClientError as error:
        return error.response["Error"]["Code"]
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return f"taken, {len(stack.get('Outputs', [])) or 'no'} outputs"


seen = {
    "without Export": made("plain", {}),
    "with Export": made("exported", {"Export": {"Name": "queue-arn"}}),
}
for what, how in seen.items():
    print(f"{what}: {how}")
sys.exit(seen != {"without Export": "taken, no outputs", "with Export": "ValidationError"})
PYTHON

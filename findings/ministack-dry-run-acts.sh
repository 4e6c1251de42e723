#!/usr/bin/env bash
# ministack 1.5.33: EC2 calls with DryRun are carried out. RunInstances launches an instance, StopInstances stops it, and
# neither answers DryRunOperation.
#
# Seen:
#   RunInstances with DryRun: answered as done, instances: 1
#   StopInstances with DryRun: answered as done, the instance is stopped
#
# AWS answers a permitted dry run with the error DryRunOperation (HTTP 412) and changes nothing. A job that asks with
# DryRun whether it may stop an instance stops it here. moto 5.2.5 answers both as AWS does.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check boto3==1.44.5
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { for _ in {1..300}; do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done; exit 1; }
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
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

ec2 = boto3.client("ec2", endpoint_url=os.environ["MINISTACK"])

def asked(call, **arguments):
    try:
        call(DryRun=True, **arguments)
        return "answered as done"
    except ClientError as error:
        return error.response["Error"]["Code"]

def instances():
    return [one for group in ec2.describe_instances()["Reservations"] for one in group["Instances"]]

image = ec2.describe_images()["Images"][0]["ImageId"]
launched = asked(ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1)
print(f"RunInstances with DryRun: {launched}, instances: {len(instances())}")
if not instances():
    sys.exit("this has changed")
one = instances()[0]["InstanceId"]
stopped = asked(ec2.stop_instances, InstanceIds=[one])
state = instances()[0]["State"]["Name"]
print(f"StopInstances with DryRun: {stopped}, the instance is {state}")
sys.exit(0 if (launched, stopped, state) == ("answered as done", "answered as done", "stopped") else "this has changed")
PYTHON

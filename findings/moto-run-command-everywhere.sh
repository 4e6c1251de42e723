#!/usr/bin/env bash
# moto 5.2.5: SSM's SendCommand with InstanceIds=[one instance] runs on every instance of the account and region, and takes
# an instance that does not exist.
#
# Seen:
#   asked for 1 of 2 instances, the command is on 2
#   the other instance has an invocation: Success
#   an instance that does not exist: taken
#
# AWS runs it on the instances that are named, and refuses an unknown one with InvalidInstanceId. A test that counts where
# a command ran is wrong here, and one for a mistyped instance is green. ministack 1.5.33 refuses the unknown instance.
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
"$work/venv/bin/python" - <<'PYTHON'
import os, sys
import boto3
from botocore.exceptions import ClientError

ec2, ssm = (boto3.client(service, endpoint_url=os.environ["MOTO"]) for service in ("ec2", "ssm"))
image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
meant, other = (one["InstanceId"] for one in ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2)["Instances"])
run = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["true"]}}
command = ssm.send_command(InstanceIds=[meant], **run)["Command"]
print("asked for 1 of 2 instances, the command is on", len(command["InstanceIds"]))
elsewhere = ssm.get_command_invocation(CommandId=command["CommandId"], InstanceId=other)["Status"]
print("the other instance has an invocation:", elsewhere)
try:
    ssm.send_command(InstanceIds=["i-0123456789abcdef0"], **run)
    unknown = "taken"
except ClientError as error:
    unknown = error.response["Error"]["Code"]
print("an instance that does not exist:", unknown)
sys.exit(0 if len(command["InstanceIds"]) == 2 and elsewhere == "Success" and unknown == "taken" else "this has changed")
PYTHON

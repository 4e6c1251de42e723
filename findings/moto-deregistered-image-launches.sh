#!/usr/bin/env bash
# moto 5.2.5: a deregistered image can still be launched, its snapshot stays although DeregisterImage was told to delete
# it, and a second image may take the name of one that is there.
#
# Seen:
#   a second image of the name: taken
#   its snapshot after DeleteAssociatedSnapshots: there
#   a launch from the deregistered image: taken
#
# EC2 refuses the name with InvalidAMIName.Duplicate and the launch with InvalidAMIID.NotFound or
# InvalidAMIID.Unavailable, and deletes the snapshot. A job that removes an image which a launch template still names is
# the outage that its test should show: here that test is green. One that looks for snapshots left behind finds those
# that EC2 would not leave.
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
import os, sys
import boto3
from botocore.exceptions import ClientError

ec2 = boto3.client("ec2", endpoint_url=os.environ["ENDPOINT"])


def answer(call, **asked):
    try:
        call(**asked)
        return "taken"
    except ClientError as error:
        return error.response["Error"]["Code"]


base = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
instance = ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
image = ec2.create_image(InstanceId=instance, Name="app-1")["ImageId"]
second = answer(ec2.create_image, InstanceId=instance, Name="app-1")
print("a second image of the name:", second)
disks = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
snapshots = [disk["Ebs"]["SnapshotId"] for disk in disks]
ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
there = "there" if answer(ec2.describe_snapshots, SnapshotIds=snapshots) == "taken" else "deleted"
print("its snapshot after DeleteAssociatedSnapshots:", there)
launch = answer(ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1)
print("a launch from the deregistered image:", launch)
sys.exit(0 if (second, there, launch) == ("taken", "there", "taken") else "this has changed")
PYTHON

#!/usr/bin/env bash
# moto 5.2.5: in a bucket whose versioning is suspended, the next write or deletion of a key removes all its earlier
# versions.
#
# Seen:
#   v1 before: b'one'
#   v1 after a write: NoSuchVersion
#   versions that are listed: null
#   another key's version after a deletion: NoSuchVersion, delete marker: None
#
# S3 keeps every version that has an id: only the `null` version is replaced, and a deletion leaves a delete marker. A
# pipeline that deploys its source by VersionId, or rolls back to one, loses it in the test and not on S3. ministack
# 1.5.33 keeps it.
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

s3 = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"])
s3.create_bucket(Bucket="source", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


def versioning(state):
    s3.put_bucket_versioning(Bucket="source", VersioningConfiguration={"Status": state})


def read(key, version):
    try:
        return s3.get_object(Bucket="source", Key=key, VersionId=version)["Body"].read()
    except ClientError as error:
        return error.response["Error"]["Code"]


versioning("Enabled")
written, deleted = (s3.put_object(Bucket="source", Key=key, Body=b"one")["VersionId"] for key in ("app.zip", "old.zip"))
versioning("Suspended")
before = read("app.zip", written)
print("v1 before:", before)
s3.put_object(Bucket="source", Key="app.zip", Body=b"two")
after = read("app.zip", written)
print("v1 after a write:", after)
listed = [one["VersionId"] for one in s3.list_object_versions(Bucket="source", Prefix="app.zip")["Versions"]]
print("versions that are listed:", *listed)
marker = s3.delete_object(Bucket="source", Key="old.zip").get("DeleteMarker")
gone = read("old.zip", deleted)
print(f"another key's version after a deletion: {gone}, delete marker: {marker}")
seen = (before, after, listed, gone, marker) == (b"one", "NoSuchVersion", ["null"], "NoSuchVersion", None)
sys.exit(0 if seen else "this has changed")
PYTHON

#!/usr/bin/env bash
# microburst 0.10.0, before moto 5.2.5: the rule `response: {abort_bytes: 0}`, which is to lose an answer after the service
# has done its work, does nothing to an answer without a body, such as S3's to PutObject. The log of fired faults says
# that it did.
#
# Seen:
#   PutObject: HTTP 200, a version is answered: True
#   fired: ['PutObject', 'response:abort']
#
# A lost answer to an upload is what most needs a test: only then does a job show whether it uploads twice. Here such a
# test is green, and proves nothing. EC2's answers, which have a body, are lost as the rule says.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'moto[server]==5.2.5' boto3==1.44.5 microburst==0.10.0
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { for _ in {1..300}; do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done; exit 1; }
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
moto=$(free_port)
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$moto" >"$work/moto.log" 2>&1 & pids+=($!)
listens "$moto"
export MOTO=http://127.0.0.1:$moto
proxy=$(free_port)
"$work/venv/bin/microburst" --upstream "$MOTO" --host 127.0.0.1 --port "$proxy" >"$work/microburst.log" 2>&1 & pids+=($!)
listens "$proxy"
export PROXY=http://127.0.0.1:$proxy
"$work/venv/bin/python" - <<'PYTHON'
import json, os, sys, urllib.request
import boto3
from botocore.config import Config

proxy = os.environ["PROXY"]
once = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
s3 = boto3.client("s3", endpoint_url=proxy, config=once)
s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
rule = [{"service": "s3", "operation": "PutObject", "response": {"abort_bytes": 0}}]
request = urllib.request.Request(f"{proxy}/_microburst/rules", json.dumps(rule).encode(), {"content-type": "application/json"})
urllib.request.urlopen(request).close()
answer = s3.put_object(Bucket="bucket", Key="key", Body=b"hello")
status, version = answer["ResponseMetadata"]["HTTPStatusCode"], "VersionId" in answer
print(f"PutObject: HTTP {status}, a version is answered: {version}")
fired = json.load(urllib.request.urlopen(f"{proxy}/_microburst/fired"))
fired = [fired[0]["operation"], fired[0]["action"]] if fired else []
print("fired:", fired)
sys.exit(0 if status == 200 and version and fired == ["PutObject", "response:abort"] else "this has changed")
PYTHON

#!/usr/bin/env bash
# microburst 0.10.0 with no rule at all, before moto 5.2.5: the answer to S3's HeadObject has lost its Content-Length, so
# that download_file of boto3 1.44.5 ends in a KeyError for an object that is there.
#
# Seen:
#   asked directly: ContentLength 5
#   through the proxy: no ContentLength
#   download_fileobj through the proxy: KeyError: 'ContentLength'
#
# Every answer is sent on in chunks and its length is dropped, also where the length is all there is: HEAD has no body.
# Real S3 always gives it. Whoever measures how a job bears faults sees it fail before the first fault.
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
import io, os, sys
import boto3
from botocore.config import Config

def s3(endpoint):
    return boto3.client("s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}))

direct, proxied = s3(os.environ["MOTO"]), s3(os.environ["PROXY"])
direct.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
direct.put_object(Bucket="bucket", Key="key", Body=b"hello")
print("asked directly: ContentLength", direct.head_object(Bucket="bucket", Key="key")["ContentLength"])
has_length = "ContentLength" in proxied.head_object(Bucket="bucket", Key="key")
print("through the proxy:", "ContentLength" if has_length else "no ContentLength")
try:
    proxied.download_fileobj("bucket", "key", io.BytesIO())
    failed = False
except KeyError as error:
    failed = True
    print(f"download_fileobj through the proxy: KeyError: {error}")
sys.exit(0 if failed and not has_length else "this has changed")
PYTHON

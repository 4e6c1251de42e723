#!/usr/bin/env bash
# moto 5.2.5 and ministack 1.5.33: the checksums of an object that was uploaded in parts are not those that S3 gives.
#
# Seen, for two parts:
#   moto: SHA256 ends with the number of parts: False
#   moto: CRC32 of the full object is that of its bytes: True
#   ministack: SHA256 ends with the number of parts: True
#   ministack: CRC32 of the full object is that of its bytes: False
#
# S3's SHA-256 of parts is a checksum of checksums and says so by `-2` at its end; with ChecksumType FULL_OBJECT the
# CRC32 is that of all bytes. A program that knows a file by the checksum of its bytes takes moto's SHA-256 for one, and
# compares it with a file that it can never match; with ministack it never finds equal what it uploaded itself, and
# uploads it again.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'moto[server]==5.2.5' boto3==1.44.5
python3 -m venv "$work/venv-ministack" # It takes one version of botocore alone.
"$work/venv-ministack/bin/pip" install --quiet --no-compile --disable-pip-version-check ministack==1.5.33
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { for _ in {1..300}; do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.2; done; exit 1; }
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
moto=$(free_port)
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$moto" >"$work/moto.log" 2>&1 & pids+=($!)
ministack=$(free_port)
BIND_HOST=127.0.0.1 GATEWAY_PORT=$ministack TMPDIR=$work "$work/venv-ministack/bin/ministack" >"$work/ministack.log" 2>&1 & pids+=($!)
listens "$moto"
listens "$ministack"
export MOTO=http://127.0.0.1:$moto MINISTACK=http://127.0.0.1:$ministack
"$work/venv/bin/python" - <<'PYTHON'
import base64, os, sys, zlib
import boto3

parts = [b"a" * 5 * 1024 * 1024, b"b"]
whole = base64.b64encode(zlib.crc32(b"".join(parts)).to_bytes(4, "big")).decode()
seen = {}
for name in ("moto", "ministack"):
    s3 = boto3.client("s3", endpoint_url=os.environ[name.upper()])
    s3.create_bucket(Bucket="source", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def uploaded(algorithm, kind):
        place = {"Bucket": "source", "Key": algorithm}
        upload = s3.create_multipart_upload(**place, ChecksumAlgorithm=algorithm, ChecksumType=kind)["UploadId"]
        field, done = f"Checksum{algorithm}", []
        for number, part in enumerate(parts, 1):
            answer = s3.upload_part(
                **place, UploadId=upload, PartNumber=number, Body=part, ChecksumAlgorithm=algorithm
            )
            done.append({"PartNumber": number, "ETag": answer["ETag"], field: answer[field]})
        s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": done})
        return s3.head_object(**place, ChecksumMode="ENABLED").get(field, "")

    composite = uploaded("SHA256", "COMPOSITE").endswith("-2")
    full = uploaded("CRC32", "FULL_OBJECT") == whole
    print(f"{name}: SHA256 ends with the number of parts: {composite}")
    print(f"{name}: CRC32 of the full object is that of its bytes: {full}")
    seen[name] = composite, full
sys.exit(0 if seen == {"moto": (False, True), "ministack": (True, False)} else "this has changed")
PYTHON

#!/usr/bin/env bash
# ssm-session 1.0.6 (npm), a client of AWS Session Manager: the field of 32 bytes for the payload's SHA-256 gets the first 32 of
# the digest's 64 hexadecimal digits, as text.
#
# Seen, for the payload `{"cols":80,"rows":24}`:
#   the field as text: d53ca1ea7dce87c11432052a8550ed26
#   it is the digest: false
#   it is the first half of the digest in hexadecimal: true
#
# The format is binary (amazon-ssm-agent, agent/session/contracts/agentmessage.go), and AWS's own client fills the field with the
# digest itself. The package has been used with AWS for years: nothing there looks at the digests that a client sends. A server
# that does, as a careful stand-in would, takes no message of it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts ssm-session@1.0.6 >/dev/null
node - <<'JS'
const { createHash } = require("crypto");
const { ssm } = require("ssm-session");
const frame = Buffer.from(ssm.buildInitMessage({ cols: 80, rows: 24 }));
const [field, payload] = [frame.subarray(80, 112), frame.subarray(120)];
const digest = createHash("sha256").update(payload).digest();
const isDigest = field.equals(digest);
const isHalf = field.toString() === digest.toString("hex").slice(0, 32);
console.log("the payload:", payload.toString());
console.log("the field as text:", field.toString());
console.log("it is the digest:", isDigest);
console.log("it is the first half of the digest in hexadecimal:", isHalf);
if (isDigest || !isHalf) { console.error("this has changed"); process.exit(1); }
JS

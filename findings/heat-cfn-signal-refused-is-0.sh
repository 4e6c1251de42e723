#!/usr/bin/env bash
# heat-cfntools 1.4.2: Debian and Ubuntu have a `cfn-signal`, and it is not the one of aws-cfn-bootstrap. A wait condition
# whose handle refuses the signal is a success to it, and a failure is told with the reason of a success.
#
# Seen:
#   a handle that answers 403: exit status 0
#   a handle that answers 500: exit status 0
#   what --exit-code 1 sends: status FAILURE, reason Configuration Complete
#   --exit-code 0 --success false sends: status SUCCESS
#   --stack and --resource: exit status 2
#
# The original ends with 1 in the first two cases, sends the reason "Configuration failed.", and FAILURE in the fourth
# (aws-cfn-bootstrap 1.4-31). `apt-get install heat-cfntools` is what a shell on Debian suggests for cfn-signal; user data
# then goes on as if the stack had heard it, and the stack waits until its timeout. It can signal no resource at all.
#
# It writes its log to /var/log, so it runs as root; a log that was not there before is removed.
set -euo pipefail
work=$(mktemp -d)
pids=()
log=/var/log/cfn-signal.log
[[ -e $log ]] && kept=yes || kept=no
trap 'kill "${pids[@]}" 2>/dev/null || :; [[ $kept == yes ]] || rm -f "$log"; rm -rf "$work"' EXIT
[[ $(id -u) == 0 ]] || { echo 'run as root: it writes to /var/log' >&2; exit 2; }
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pbr==0.11.1 boto==2.49.0 six==1.17.0 psutil==7.1.3 setuptools==80.9.0
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check --no-deps heat-cfntools==1.4.2
cat >"$work/handle.py" <<'PYTHON'
import http.server, json, sys

class Handle(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open(sys.argv[2], "ab") as file:
            file.write(body + b"\n")
        self.send_response(int(self.path[1:]))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handle).serve_forever()
PYTHON
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
python3 "$work/handle.py" "$port" "$work/sent" & pids+=($!)
for _ in {1..100}; do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.2; done
signal() { PATH=$work/venv/bin:$PATH "$work/venv/bin/python" "$work/venv/bin/cfn-signal" "$@" >/dev/null 2>"$work/err"; }
code() { signal "$@" && echo 0 || echo $?; }
handle=http://127.0.0.1:$port
refused=$(code -i web-1 "$handle/403")
failed=$(code -i web-1 "$handle/500")
signal -i web-1 -e 1 "$handle/200"
failure=$(tail -n1 "$work/sent")
signal -i web-1 -e 0 -s false "$handle/200"
both=$(tail -n1 "$work/sent")
resource=$(code -e 0 --stack app --resource Group)
field() { python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"; }
echo "a handle that answers 403: exit status $refused"
echo "a handle that answers 500: exit status $failed"
echo "what --exit-code 1 sends: status $(field "$failure" Status), reason $(field "$failure" Reason)"
echo "--exit-code 0 --success false sends: status $(field "$both" Status)"
echo "--stack and --resource: exit status $resource"
[[ $refused$failed$resource == 002 && $(field "$failure" Status) == FAILURE && $(field "$failure" Reason) == 'Configuration Complete' \
    && $(field "$both" Status) == SUCCESS ]] || { echo 'this has changed'; exit 1; }

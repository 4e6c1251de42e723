"""deploy-app beside rsync: the same trees, the same sshd on loopback.

rsync gets what it is given in buildspecs: `-e ssh`, no compression. deploy-app runs with runtime none and no health check.
What it does beside that (hashing on the host, a new release, the lock, `sync`) is in its time.
"""
import getpass
import os
import subprocess
import time

import inputs
from case import Goal, Method, case
from measure import Sample, need, run
from services import ROOT

RSYNC = ("-a", "-ac")


def methods(bench, tree, before):
    """deploy-app and rsync, each with a target of its own."""
    need("rsync", "ssh", "sshd")
    sshd = bench.sshd()

    def prepare(name):
        def prepared(run):
            before(name, run)
            # Nothing of the run before is still being written.
            os.sync()

        return prepared

    deploy = [
        bench.ours("deploy-app"), "--address", f"127.0.0.1:{sshd.port}", "--user", getpass.getuser(), "--ssh-key", sshd.user_key,
        "--known-hosts", sshd.known_hosts, "--source", tree, "--target", target(bench, "deploy-app"), "--runtime", "none",
        "--export-file", bench.work / "exports",
    ]
    ours = Method("deploy-app", deploy, prepare("deploy-app"), env=bench.env | {"HOME": str(sshd.home)})
    theirs = [
        Method(f"rsync {flag}", ["rsync", flag, "--delete", "-e", sshd.shell(), f"{tree}/", f"127.0.0.1:{target(bench, flag)}/"],
               prepare(flag), env=bench.env | {"HOME": str(sshd.home)})
        for flag in RSYNC
    ]
    return [ours, *theirs]


def target(bench, name):
    return bench.work / "to" / name


def filled(bench, tree):
    """The methods, after each has brought the tree to its target once."""
    for name in ("deploy-app", *RSYNC):
        target(bench, name).mkdir(parents=True)
    found = methods(bench, tree, lambda name, run: None)
    for method in found:
        run(method.command, env=method.env, cwd=bench.work)
    return found


@case(
    "deploy-first", "deploy-app", "a first copy of 10,000 files",
    goals=[Goal("wall", "rsync -a", 1 / 2)],
    limit="The host writes and hashes every file, and waits until all of it is on the disk, "
          "which rsync does not",
)
def first(bench):
    inputs.rsync_tree(bench.work / "tree", 10_000)

    def before(name, run):
        # A folder that never was: ext4 looks at every inode that was freed in the last minutes before it gives a new one
        # out (recently_deleted in its ialloc.c), so that emptying one would be what is measured.
        to = target(bench, name)
        if to.exists():
            to.rename(bench.work / f"old-{name}-{run}")
        to.mkdir(parents=True)

    return methods(bench, bench.work / "tree", before)


@case(
    "deploy-unchanged", "deploy-app", "50,000 files, nothing changed",
    goals=[Goal("wall", "rsync -a", 0.6)],
    limit="The host looks at each of the 50,000 files, as rsync's does; the calls for that are most of the time of both",
)
def unchanged(bench):
    inputs.rsync_tree(bench.work / "tree", 50_000)
    return filled(bench, bench.work / "tree")


@case(
    "deploy-checkout", "deploy-app", "the same 50,000 files after a fresh checkout, with new times",
    goals=[Goal("wall", "rsync -a", 1 / 40), Goal("wall", "rsync -ac", 0.4)],
    limit="`rsync -a` sends every file again, and -ac reads all of both sides; deploy-app hashes the source alone, which takes as long "
          "as reading it",
)
def checkout(bench):
    tree = bench.work / "tree"
    inputs.rsync_tree(tree, 50_000)
    found = filled(bench, tree)
    for method in found:
        settled = method.before

        def before(run, settled=settled):
            now = time.time() - 1_000_000 + time.monotonic()
            for folder, _, names in os.walk(tree):
                for name in names:
                    os.utime(os.path.join(folder, name), (now, now))
            settled(run)

        method.before = before
    return found


@case(
    "deploy-large", "deploy-app", "one file of 1 GiB of which 1 MiB changed", runs=3,
    goals=[Goal("wall", "rsync -a", 1 / 2)],
    limit="The source is read and hashed whole, and the host copies the rest of the file out of the release before",
)
def large(bench):
    tree = bench.work / "tree"
    inputs.random_file(tree / "model.bin", 1024)
    found = filled(bench, tree)
    settled = found[0].before

    def before(run):
        # Ours comes first: every method sees the same change.
        with (tree / "model.bin").open("r+b") as file:
            file.seek((512 + run) << 20)
            file.write(os.urandom(1 << 20))
        settled(run)

    found[0].before = before
    return found


TUNNEL_MIB = 128


@case(
    "tunnels", "deploy-app", f"one file of {TUNNEL_MIB} MiB of random bytes, directly and through the tunnels to private instances",
    by_default=False, goals=[],
)
def tunnels(bench):
    """The other ends of the tunnels are those of the tests, so that their crate is compiled first. It does the runs, too."""
    cargo = ["cargo", "run", "--release", "--locked", "--quiet", "-p", "harness", "--bin", "bench-tunnels", "--"]
    ran = subprocess.run([*cargo, bench.ours("deploy-app"), str(TUNNEL_MIB), "5"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    samples = {}
    for line in ran.stdout.splitlines():
        way, seconds, peak = line.split()
        samples.setdefault(way, []).append(Sample(float(seconds), None, int(peak), {"rate": TUNNEL_MIB / float(seconds)}))
    return samples

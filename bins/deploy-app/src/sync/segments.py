# Prints the number, the SHA-256 and the name of each 32 MiB of the files named, hashed on all cores.
import hashlib, os, sys, threading

turn = threading.Lock()


def failed(error):
    with turn:
        print(error, file=sys.stderr)


def segments(name):
    try:
        return range(-(-os.path.getsize(name) // 33554432))
    except OSError as error:
        failed(error)
        return []


def work():
    block = memoryview(bytearray(262144))
    while True:
        with turn:
            name, n = next(todo, (None, 0))
        if name is None:
            return
        sha256, left = hashlib.sha256(), 33554432
        # Of somebody else's files some cannot be read, or go meanwhile.
        try:
            with open(name, "rb", 0) as file:
                file.seek(n * 33554432)
                while left:
                    got = file.readinto(block[:left])
                    if not got:
                        break
                    sha256.update(block[:got])
                    left -= got
        except OSError as error:
            failed(error)
            continue
        with turn:
            sys.stdout.buffer.write(b"%d %s\0%s\0" % (n, sha256.hexdigest().encode(), name))


names = [os.fsencode(name) for name in sys.argv[1:]]
todo = iter([(name, n) for name in names for n in segments(name)])
workers = [threading.Thread(target=work) for _ in range(os.cpu_count() or 1)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()

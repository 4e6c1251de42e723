"""The files that the cases work on. They are the same on every machine and in every run."""
import json
import random

WORDS = 4000


class Text:
    """Text that compresses as sources do: some thousand words, unevenly used."""

    def __init__(self, seed, size=4 << 20):
        self.random = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgkqjxz"
        words = ["".join(self.random.choices(letters, range(26, 0, -1), k=self.random.randint(2, 11))) for _ in range(WORDS)]
        marks = [" ", " ", " ", "\n", "(", "): ", " = ", "."]
        parts, length = [], 0
        while length < size:
            word = words[int(WORDS * self.random.random() ** 2)] + self.random.choice(marks)
            parts.append(word)
            length += len(word)
        self.all = "".join(parts).encode()

    def piece(self, least, most):
        size = self.random.randint(least, most)
        at = self.random.randrange(len(self.all) - size)
        return self.all[at:at + size]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def small_files(root, count):
    """Files of 0.3 to 6 KB in a thousand folders, as sources are."""
    text = Text(7)
    for n in range(count):
        write(root / f"d{n % 97:02}" / f"e{n % 13:02}" / f"f{n}.txt", text.piece(300, 6000))


def mixed_tree(root):
    """80 MB: sources, pictures that do not compress, data that compresses well, and a library that compresses by half."""
    text = Text(7)
    for n in range(1500):
        write(root / "src" / f"m{n % 40:02}" / f"f{n}.py", text.piece(2000, 38000))
    for n in range(12):
        write(root / "images" / f"i{n}.png", text.random.randbytes(1 << 20))
    for n in range(4):
        rows = ({"id": row, "name": text.piece(8, 8).decode(errors="replace"), "value": text.random.random()} for row in range(60000))
        write(root / "data" / f"d{n}.json", "\n".join(map(json.dumps, rows)).encode())
    pieces = (text.random.choice([text.random.randbytes(64), bytes(64), text.piece(64, 64)]) for _ in range(328000))
    write(root / "lib" / "native.so", b"".join(pieces))


def rsync_tree(root, count):
    """Files of 0.5 to 8 KB that hardly compress: what is measured is moving them."""
    source = random.Random(7)
    for n in range(count):
        write(root / f"d{n % 97:02}" / f"e{n % 13:02}" / f"f{n}.txt", source.randbytes(source.randint(256, 4096)).hex().encode())


def random_file(path, mib):
    source = random.Random(7)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(source.randbytes(1 << 20))


def values(count):
    """Values as builds have them, with what a shell would take for its own: quotes, spaces, dollars."""
    source = random.Random(7)
    kinds = ["v{0}.{1}.0", "https://example.com/{0}?a={1}&b=2", "it's the {0} value", "$HOME/{0}/{1}", "ami-{0:017x}"]
    return {f"APP_SETTING_{n:04}": kinds[n % 5].format(source.randrange(1000), source.randrange(1000)) for n in range(count)}

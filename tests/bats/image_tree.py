"""usage: image_tree.py [--no-root] DIR...: all that can be seen of each tree, one line for each object; with several, the
differences. Hard links are told by the first name."""
import hashlib
import os
import resource
import stat
import sys


def describe(at, name, path, first):
    """Of what the folder with descriptor `at` has; by descriptor, since paths may be longer than a path may be."""
    s = os.lstat(name, dir_fd=at)
    kind = stat.S_IFMT(s.st_mode)
    parts = [repr(path), oct(s.st_mode), f"{s.st_uid}:{s.st_gid}", str(s.st_mtime_ns)]
    if kind == stat.S_IFREG:
        h = hashlib.sha256()
        with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=at), "rb") as f:
            while data := f.read(1 << 20):
                h.update(data)
        parts += [str(s.st_size), h.hexdigest()[:16]]
    if kind != stat.S_IFDIR and s.st_nlink > 1:
        parts.append("is " + repr(first.setdefault(s.st_ino, path)))
    if kind == stat.S_IFLNK:
        parts.append("-> " + repr(os.readlink(name, dir_fd=at)))
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        parts.append(f"{os.major(s.st_rdev)}:{os.minor(s.st_rdev)}")
    full = f"/proc/self/fd/{at}/{name}"
    for x in sorted(os.listxattr(full, follow_symlinks=False)):
        parts.append(f"{x}={os.getxattr(full, x, follow_symlinks=False)!r}")
    return " ".join(parts), kind == stat.S_IFDIR


def walk(at, path, first, lines):
    for name in sorted(os.listdir(at)):
        inside = f"{path}/{name}" if path else name
        line, is_folder = describe(at, name, inside, first)
        lines.append(line)
        if is_folder:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
            walk(fd, inside, first, lines)
            os.close(fd)


def tree(root, with_root):
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    first, lines = {}, []
    if with_root:
        lines.append(describe(fd, ".", "", first)[0])
    walk(fd, "", first, lines)
    os.close(fd)
    return lines


sys.setrecursionlimit(5000)
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
words = sys.argv[1:]
with_root = "--no-root" not in words
roots = [os.path.abspath(w) for w in words if w != "--no-root"]
trees = [tree(one, with_root) for one in roots]
if len(trees) == 1:
    print("\n".join(trees[0]))
else:
    a, b = (frozenset(t) for t in trees)
    for line in sorted(a - b):
        print("-", line)
    for line in sorted(b - a):
        print("+", line)
    sys.exit(a != b)

# loads.py - real programs under their own load generators and tests. Each function takes a programs.Run and returns what must
# be the same with every allocator: results, counts, exit states. Timings are no part of it; nothing here knows the allocator.

import concurrent.futures
import getpass
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess

from harness import DEADLINE_S, free_port
from servers import NGINX_CONF, POSTGRES_BIN, Redis, Server, children

LOAD_S = 300  # how long one command of a load may take
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def digest(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()


def output(run, *command, env=None, **popen):
    """As run.output(), for commands that take longer."""
    done = subprocess.run(command, env=dict(run.env, **(env or {})), cwd=run.directory, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LOAD_S, check=False, **popen)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise AssertionError("%s: exit code %d\n%s" % (" ".join(command), done.returncode, text[-2000:]))
    return text


def redis_benchmark(run):
    port = free_port()
    command = ["/usr/bin/redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", run.directory]
    with Server(run, command) as server:
        server.wait_until("redis to answer", lambda: socket.create_connection(("127.0.0.1", port)).close() is None)
        run.inspect(server.process.pid, "redis-server")
        text = output(run, "/usr/bin/redis-benchmark", "-p", str(port), "-n", "40000", "-c", "30", "-r", "2000", "-d", "200", "-P",
                      "8", "--csv", "-t", "set,get,incr,lpush,rpush,lpop,sadd,hset,spop,zadd,zpopmin,lrange,mset")
        client = Redis(port)
        try:
            errors = re.search(rb"total_error_replies:(\d+)", client.ask("INFO", "stats")).group(1).decode()
            lists = client.ask("LLEN", "mylist")
        finally:
            client.close()
    return "%s\n%s error replies, %s in the list" % (re.findall(r'^"([^"]+)"', text, re.M), errors, lists)


def pgbench(run):
    port, who = free_port(), {}
    if os.getuid() == 0:  # postgres refuses to run as root
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(run.directory, "postgres", "postgres")
    env = {"HOME": run.directory}
    output(run, POSTGRES_BIN + "/initdb", "-D", run.path("data"), "-A", "trust", "-U", "postgres", "--no-sync", env=env, **who)
    command = [POSTGRES_BIN + "/postgres", "-D", run.path("data"), "-k", run.directory, "-p", str(port), "-c",
               "listen_addresses=", "-c", "fsync=off"]
    client = ["-h", run.directory, "-p", str(port), "-U", "postgres"]
    with Server(run, command, stop=signal.SIGINT, **who) as server:
        ready = [POSTGRES_BIN + "/pg_isready", "-q", *client]
        server.wait_until("postgres to answer", lambda: subprocess.run(ready, env=run.env, check=False).returncode == 0)
        run.inspect(server.process.pid, "postmaster")
        output(run, POSTGRES_BIN + "/pgbench", *client, "-i", "-q", "-s", "2", "postgres", env=env, **who)
        text = output(run, POSTGRES_BIN + "/pgbench", *client, "-c", "4", "-j", "2", "-t", "500", "postgres", env=env, **who)
        for pid in children(server.process.pid):
            run.inspect(pid, "postgres child")
        sums = output(run, POSTGRES_BIN + "/psql", "-X", "-A", "-t", *client, "-c",
                      "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history), "
                      "(select sum(bbalance) from pgbench_branches) = (select sum(tbalance) from pgbench_tellers), "
                      "(select count(*) from pgbench_history)", "postgres", env=env, **who)
    return "\n".join(re.findall(r"^number of .*(?:processed|failed).*$", text, re.M)) + "\n" + sums


def nginx_wrk(run):
    port = free_port()
    user = "user %s;" % getpass.getuser() if os.getuid() == 0 else ""
    run.write("page.txt", "".join("line %d of the page\n" % i for i in range(2000)))
    conf = run.write("nginx.conf", NGINX_CONF % (user, port, "load", port))
    command = ["/usr/sbin/nginx", "-e", run.path("error.log"), "-p", run.directory + "/", "-c", conf]
    out = []
    with Server(run, command, stop=signal.SIGQUIT) as server:
        server.wait_until("nginx to answer", lambda: socket.create_connection(("127.0.0.1", port)).close() is None)
        server.wait_until("two workers", lambda: len(children(server.process.pid)) == 2)
        for pid in children(server.process.pid):
            run.inspect(pid, "nginx worker")
        for path, header in (("hello", "A: b"), ("page.txt", "Accept-Encoding: gzip"), ("proxied/hello", "A: b")):
            text = output(run, "/usr/bin/wrk", "-t", "2", "-c", "20", "-d", "4s", "-H", header,
                          "http://127.0.0.1:%d/%s" % (port, path))
            requests = int(re.search(r"(\d+) requests in", text).group(1))
            bad = re.findall(r"^ *(?:Socket errors|Non-2xx).*$", text, re.M)
            out.append("%s: %s, %s" % (path, "more than 100 requests" if requests > 100 else requests, bad or "no errors"))
    with open(run.path("error.log"), encoding="utf-8") as stream:
        return "\n".join(out) + stream.read()


def memcached(run):
    path = run.path("socket")
    user = ["-u", "root"] if os.getuid() == 0 else []
    command = ["/usr/bin/memcached", "-s", path, "-m", "64", "-t", "4", *user]

    def ask(stream, text, end):
        stream.write(text)
        stream.flush()
        got = b""
        while not got.endswith(end):
            line = stream.readline()
            if not line:
                raise AssertionError("memcached closed the connection after %r" % got[-200:])
            got += line
        return got

    def client(number):
        seen = hashlib.sha256()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE_S)
            connection.connect(path)
            with connection.makefile("rwb") as stream:
                for i in range(15000):
                    key = b"k%d:%d" % (number, i * 7919 % 3001)
                    value = b"%d," % i * (i % 500 + 1)
                    seen.update(ask(stream, b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value), b"\r\n"))
                    if i % 3 == 0:
                        seen.update(ask(stream, b"append %s 0 0 3\r\nxyz\r\n" % key, b"\r\n"))
                    if i % 5 == 0:
                        seen.update(ask(stream, b"get %s\r\n" % key, b"END\r\n"))
                    if i % 7 == 0:
                        seen.update(ask(stream, b"delete %s\r\n" % key, b"\r\n"))
        return seen.hexdigest()

    with Server(run, command) as server:
        server.wait_until("memcached's socket", lambda: os.path.exists(path))
        run.inspect(server.process.pid, "memcached")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            digests = list(pool.map(client, range(4)))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            with connection.makefile("rwb") as stream:
                stats = ask(stream, b"stats\r\n", b"END\r\n").decode()
    return "\n".join(digests + re.findall(r"STAT (?:curr_items|cmd_set|cmd_get|get_hits|evictions) \d+", stats))


SQL = """
pragma journal_mode = wal;
create table t1(a integer primary key, b integer, c text);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
  insert into t1 select i, i * 7919 % 100003, printf('%0*d text of row %d', i % 60, i, i * 31) from n;
commit;
create index i1 on t1(b);
create table t2 as select c, count(*) as n, max(b) as m from t1 group by substr(c, 1, 6);
create index i2 on t2(c, n);
select count(*), sum(b), sum(length(c)) from t1 where b between 1000 and 60000;
update t1 set c = c || ' changed ' || b where a % 3 = 0;
delete from t1 where b % 7 = 0;
select count(*), sum(length(c)) from t1;
select x.a, y.b, substr(y.c, 1, 20) from t1 x join t1 y on y.b = x.a order by y.c desc, x.a limit 30;
with recursive f(n, a, b) as (select 1, 0, 1 union all select n + 1, b, (a + b) % 1000000007 from f where n < 100000)
  select max(n), sum(a) from f;
select group_concat(substr(c, -5), '') from (select c from t1 order by c limit 5000);
pragma integrity_check;
"""


def sqlite_speed(run):
    run.write("script.sql", SQL)
    text = output(run, "/usr/bin/sqlite3", run.path("test.db"), ".read script.sql")
    return "%d bytes %s" % (len(text), digest(text))


def gxx_project(run):
    out = []
    for name in ("liballoc/heap/page_heap.cc", "liballoc/core/allocator.cc", "agent/reader/decode.cc",
                 "tests/liballoc/heap/page_heap_test.cc"):
        output(run, "/usr/bin/g++", "-std=c++20", "-O2", "-g", "-Wall", "-I", SOURCE, "-I", SOURCE + "/liballoc/include",
               "-DLIBALLOC_VERSION=\"1\"", "-c", os.path.join(SOURCE, name), "-o", "out.o")
        with open(run.path("out.o"), "rb") as stream:
            out.append(name + " " + digest(stream.read()))
    return "\n".join(out)


def python_tests(run):
    modules = ["test_list", "test_dict", "test_set", "test_json", "test_threading", "test_bytes", "test_deque", "test_gc",
               "test_weakref", "test_array", "test_memoryview", "test_zlib", "test_queue", "test_sort"]
    env = {"PYTHONMALLOC": "malloc", "HOME": run.directory, "TMPDIR": run.directory}
    text = output(run, "/usr/bin/python3.11", "-m", "test", "-j0", *modules, env=env)
    return "\n".join(re.findall(r"^(?:All \d+ tests OK\.|Tests? result: \w+|\d+ tests? failed:|\d+ tests? skipped:)", text, re.M))


NODE = r"""
const zlib = require('zlib'), crypto = require('crypto'), { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
function work(seed) {
  let x = seed, words = [], map = new Map();
  for (let i = 0; i < 120000; i++) { x = (x * 1103515245 + 12345) % 2147483648; words.push(x.toString(36)); map.set(x % 5003, words[i] + i); }
  const text = JSON.stringify([...map.entries()].sort((a, b) => a[0] - b[0]).concat(words.sort()));
  const packed = zlib.deflateSync(Buffer.from(text)), back = zlib.inflateSync(packed);
  const buffers = []; for (let i = 0; i < 2000; i++) buffers.push(Buffer.alloc(i * 37 % 70000, i));
  return [text.length, back.length, JSON.parse(text).length,
          crypto.createHash('sha256').update(text).update(Buffer.concat(buffers)).digest('hex')].join(' ');
}
if (!isMainThread) parentPort.postMessage(work(workerData));
else {
  console.log(work(1));
  Promise.all([2, 3, 4].map(n => new Promise((ok, no) => { const w = new Worker(__filename, { workerData: n }); w.on('message', ok); w.on('error', no); })))
    .then(lines => console.log(lines.join('\n')));
}
"""


def node(run):
    return output(run, "/usr/bin/node", run.write("program.js", NODE))


PERL = r"""
use strict; use warnings;
my ($x, %tree, $text) = (7, (), '');
for my $i (1 .. 400000) { $x = ($x * 1103515245 + 12345) % 2147483648; push @{$tree{$x % 977}{$x % 31}}, "v$x" if $i % 3; }
for my $k (sort { $a <=> $b } keys %tree) { $text .= join ',', map { $_ . scalar @{$tree{$k}{$_}} } sort { $a <=> $b } keys %{$tree{$k}}; }
my @parts = split /(?<=7),/, $text; my $n = () = $text =~ /(\d)\1/g;
print length $text, ' ', scalar @parts, " $n ", unpack('%32C*', join '', sort @parts), "\n";
for my $round (1 .. 40) { my @m = map { [ map { $_ * $round } 1 .. 50 ] } 1 .. 200; my $s = 0; $s += $_->[$round] for @m; print "$s\n"; }
"""


def perl_trees(run):
    return output(run, "/usr/bin/perl", run.write("program.pl", PERL), env={"PERL_HASH_SEED": "0"})


LUA = r"""
local function tree(d) if d == 0 then return {} end return { tree(d - 1), tree(d - 1) } end
local function check(t) if t[1] then return 1 + check(t[1]) + check(t[2]) end return 1 end
local long = tree(15)
for d = 4, 15, 2 do
  local sum = 0
  for i = 1, 1 << (15 - d + 4) do sum = sum + check(tree(d)) end
  print(d, sum)
end
print(check(long), collectgarbage("count") > 0)
local s = {} for i = 1, 200000 do s[i] = ("%d:%x"):format(i, i * 7919 % 65537) end
print(#table.concat(s, ","), select(2, table.concat(s):gsub("f", "")))
"""


def lua_trees(run):
    return output(run, "/usr/bin/lua5.4", run.write("program.lua", LUA))


def z3(run):
    return output(run, "/usr/bin/z3", "-smt2", os.path.join(SOURCE, "tests/bench/real/puzzle.smt2"))


def ffmpeg(run):
    return output(run, "/usr/bin/ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=duration=4:size=480x270:rate=25",
                  "-f", "lavfi", "-i", "sine=frequency=440:duration=4", "-vf", "scale=320:180,hue=s=0.5", "-c:v", "mpeg4", "-threads",
                  "2", "-flags", "bitexact", "-c:a", "flac", "-f", "framemd5", "-")


def openssl(run):
    text = output(run, "/usr/bin/openssl", "speed", "-seconds", "1", "-bytes", "1024", "sha256", "aes-128-cbc")
    names = [line.split()[0] for line in text.splitlines() if re.match(r"(sha256|aes-128-cbc) ", line)]
    output(run, "/usr/bin/openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "key.pem")
    output(run, "/usr/bin/openssl", "req", "-x509", "-new", "-key", "key.pem", "-subj", "/CN=test", "-days", "9", "-out", "cert.pem")
    return "%s\n%s" % (names, output(run, "/usr/bin/openssl", "verify", "-CAfile", "cert.pem", "cert.pem"))


def git_gc(run):
    env = {"HOME": run.directory, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b",
           "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b", "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
           "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z"}
    copy = run.path("copy")
    # Of the sources alone, where they are no repository, and with the same objects either way.
    for name in ("liballoc", "agent", "docs", "tests/liballoc", "tests/agent"):
        shutil.copytree(os.path.join(SOURCE, name), os.path.join(run.path("first"), name))
    first = ["/usr/bin/git", "-C", run.path("first")]
    output(run, *first, "init", "-q", "-b", "main", env=env)
    output(run, *first, "add", "-A", ".", env=env)
    output(run, *first, "commit", "-q", "-m", "all", env=env)
    output(run, "/usr/bin/git", "clone", "-q", "--no-local", run.path("first"), copy, env=env)
    git = ["/usr/bin/git", "-C", copy, "-c", "pack.threads=2"]
    output(run, *git, "gc", "--aggressive", "--prune=now", "--quiet", env=env)
    return (output(run, *git, "fsck", "--full", "--strict", "--no-progress", env=env) +
            output(run, *git, "rev-parse", "HEAD^{tree}", env=env) +
            re.search(r"in-pack: \d+", output(run, *git, "count-objects", "-v", env=env)).group(0))


def stress_ng(run):
    text = output(run, "/usr/bin/stress-ng", "--malloc", "2", "--malloc-ops", "20000", "--malloc-bytes", "64M", "--malloc-touch",
                  "--malloc-pthreads", "2", "--verify", "--timeout", "120", "--temp-path", run.directory)
    return "\n".join(sorted(set(re.findall(r"successful run completed|fail\w*|corrupt\w*", text))))

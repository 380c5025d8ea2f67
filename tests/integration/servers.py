# servers.py - real servers, each started, loaded, asked and ended so that the answers are the same every time.
# Each function takes a programs.Run; servers listen on free loopback ports or sockets in the run's directory only.

import getpass
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request

from harness import DEADLINE_S, free_port, poll

POSTGRES_BIN = "/usr/lib/postgresql/15/bin"


class Server:
    """A server process that is ended on leaving the block, by the given signal, with exit code 0."""

    def __init__(self, run, command, stop=signal.SIGTERM, **popen):
        self.run, self.command, self.stop_signal, self.popen = run, command, stop, popen
        self.log = run.path("server.log")

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, env=self.run.env, cwd=self.run.directory,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.popen)
        return self

    def wait_until(self, what, condition):
        def check():
            if self.process.poll() is not None:
                raise AssertionError("%s ended (%d): %s" % (self.command[0], self.process.returncode, self.text()))
            try:
                return condition()
            except OSError:
                return False
        return poll(what, check)

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            return stream.read()[-3000:]

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if kind is None and self.process.returncode != 0:
            raise AssertionError("%s ended with %d: %s" % (self.command[0], self.process.returncode, self.text()))


def children(pid):
    """Pids of the children of a process."""
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as stream:
        return [int(word) for word in stream.read().split()]


# ---- redis


class Redis:
    """As much of a redis client as the test needs."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.stream = self.socket.makefile("rb")

    def close(self):
        self.stream.close()
        self.socket.close()

    def send(self, *words):
        encoded = [str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))

    def reply(self):
        line = self.stream.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise AssertionError("redis: %s" % rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def ask(self, *words):
        self.send(*words)
        return self.reply()

    def pipeline(self, commands):
        for start in range(0, len(commands), 500):
            batch = commands[start:start + 500]
            for command in batch:
                self.send(*command)
            for _ in batch:
                self.reply()


def redis(run):
    port = free_port()
    command = ["/usr/bin/redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
               "--dir", run.directory, "--enable-debug-command", "local", "--activedefrag", "no"]
    with Server(run, command) as server:
        server.wait_until("redis-server to answer", lambda: socket.create_connection(("127.0.0.1", port)).close() or True)
        run.inspect(server.process.pid, "redis-server")
        load = subprocess.run(["/usr/bin/redis-benchmark", "-p", str(port), "-n", "20000", "-c", "20", "-d", "200", "-r",
                               "5000", "-q", "-t", "set,get,lpush,lpop,sadd,hset,zadd,mset"],
                              env=run.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        if load.returncode != 0:
            raise AssertionError("redis-benchmark: %s" % load.stderr.decode())
        client = Redis(port)
        try:
            info = client.ask("INFO").decode()
            seen = dict(re.findall(r"^(redis_mode|maxmemory|connected_slaves|loading):(\S+)", info, re.M))
            if int(re.search(r"^used_memory:(\d+)", info, re.M).group(1)) <= 0:
                raise AssertionError("redis reports no memory in use")
            client.ask("FLUSHALL")
            commands = []
            for i in range(8000):
                commands += [("SET", "s:%d" % i, "v" * (i % 700)), ("RPUSH", "l:%d" % (i % 60), "e%d" % i * (i % 9 + 1)),
                             ("HSET", "h:%d" % (i % 90), "f%d" % i, i * i), ("SADD", "set:%d" % (i % 40), i),
                             ("ZADD", "z:%d" % (i % 30), i % 77, "m%d" % i)]
                if i % 4 == 0:
                    commands += [("APPEND", "s:%d" % i, "more" * 50), ("DEL", "s:%d" % (i // 2))]
            client.pipeline(commands)
            lua = client.ask("EVAL", "local t={} for i=1,2000 do t[i]=redis.call('STRLEN','s:'..i) end "
                             "return table.concat(t,',')", 0)
            digest = client.ask("DEBUG", "DIGEST").decode()
            rows = client.ask("SORT", "set:7") + client.ask("ZRANGE", "z:3", 0, -1) + client.ask("LRANGE", "l:5", 0, -1)
            before = client.ask("DBSIZE")
            client.ask("DEBUG", "RELOAD")  # writes the data in a forked child, empties the heap and reads it back
            again = client.ask("DEBUG", "DIGEST").decode()
        finally:
            client.close()
    return "\n".join([str(seen), digest, again, str(before), hashlib.sha256(lua).hexdigest(),
                      hashlib.sha256(b"\n".join(rows)).hexdigest()])


# ---- nginx

NGINX_CONF = """
daemon off; master_process on; worker_processes 2; pid nginx.pid; error_log error.log warn; %s
events { worker_connections 128; }
http {
  access_log off; gzip on; gzip_min_length 100; gzip_types text/plain; default_type text/plain;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server { listen 127.0.0.1:%d; root .; location /hello { return 200 "hello %s\\n"; }
    location /proxied/ { proxy_pass http://127.0.0.1:%d/; } }
}
"""


def nginx(run):
    port = free_port()
    user = "user %s;" % getpass.getuser() if os.getuid() == 0 else ""
    run.write("page.txt", "".join("line %d of the page\n" % i for i in range(50000)))
    conf = run.write("nginx.conf", NGINX_CONF % (user, port, "first", port))
    command = ["/usr/sbin/nginx", "-e", run.path("error.log"), "-p", run.directory + "/", "-c", conf]

    def fetch(path, **headers):
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), headers=headers)
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return reply.read()

    out = []
    with Server(run, command, stop=signal.SIGQUIT) as server:
        server.wait_until("nginx to answer", lambda: fetch("/hello"))
        run.inspect(server.process.pid, "nginx master")
        old = server.wait_until("two workers", lambda: len(children(server.process.pid)) == 2 and
                                children(server.process.pid))
        for pid in old:
            run.inspect(pid, "nginx worker")
        out += [fetch("/hello"), fetch("/page.txt"), fetch("/proxied/page.txt")]
        out += [fetch("/page.txt", **{"Accept-Encoding": "gzip"}), fetch("/page.txt", Range="bytes=1000-2000")]
        for _ in range(200):
            fetch("/proxied/hello")
        run.write("nginx.conf", NGINX_CONF % (user, port, "second", port))
        server.process.send_signal(signal.SIGHUP)
        server.wait_until("the reload", lambda: b"second" in fetch("/hello"))
        server.wait_until("the old workers' end", lambda: not set(old) & set(children(server.process.pid)))
        out += [fetch("/hello"), fetch("/page.txt")]
    with open(run.path("error.log"), "rb") as stream:
        out.append(stream.read())  # nothing above "notice" may be in it
    return "\n".join("%d %s" % (len(part), hashlib.sha256(part).hexdigest()) for part in out)


# ---- postgres

POSTGRES_SQL = """
create table items(id int primary key, name text, tags text[], doc jsonb);
insert into items select i, 'item ' || (i * 7919 % 20011), array[(i % 7)::text, (i % 11)::text],
  jsonb_build_object('a', i, 'b', repeat('x', i % 200)) from generate_series(1, 20000) i;
create index on items(name); create index on items using gin(doc);
select count(*), sum(length(doc->>'b')), md5(string_agg(name, ',' order by id)) from items;
select tags[1] as t, count(*), max(name) from items group by 1 order by 1;
select a.id, b.name from items a join items b on b.id = a.id * 2 order by b.name, a.id limit 10;
set work_mem = '64kB'; select count(*) from (select distinct doc from items order by doc) s;
do $$ begin for i in 1..300 loop perform format('%s', repeat('y', i * 100)); end loop; end $$;
update items set name = upper(name) where id % 3 = 0; delete from items where id % 5 = 0; vacuum full items;
select count(*), md5(string_agg(name, ',' order by id)) from items;
"""


def postgres(run):
    port = free_port()  # only names the socket
    who = {}
    if os.getuid() == 0:  # postgres refuses to run as root
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(run.directory, "postgres", "postgres")
    env = {"HOME": run.directory}
    run.output(POSTGRES_BIN + "/initdb", "-D", run.path("data"), "-A", "trust", "-U", "postgres", "--no-sync",
               "--locale=C.UTF-8", env=env, **who)
    command = [POSTGRES_BIN + "/postgres", "-D", run.path("data"), "-k", run.directory, "-p", str(port), "-c",
               "listen_addresses=", "-c", "fsync=off", "-c", "max_parallel_workers_per_gather=2"]

    def psql(sql):
        return run.output(POSTGRES_BIN + "/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", run.directory, "-p", str(port),
                          "-U", "postgres", "postgres", stdin=sql.encode(), env=env, **who)

    with Server(run, command, stop=signal.SIGINT, **who) as server:
        ready = [POSTGRES_BIN + "/pg_isready", "-q", "-h", run.directory, "-p", str(port)]
        server.wait_until("postgres to answer", lambda: subprocess.run(ready, env=run.env, check=False).returncode == 0)
        run.inspect(server.process.pid, "postmaster")
        out = psql(POSTGRES_SQL)
        for pid in children(server.process.pid):
            run.inspect(pid, "postgres child")
        dump = run.output(POSTGRES_BIN + "/pg_dump", "-h", run.directory, "-p", str(port), "-U", "postgres", "postgres",
                          env=env, **who)
        out += re.sub(r"^\\(un)?restrict .*$", "", dump, flags=re.M)  # a random key of each dump
        backends = [subprocess.Popen(
            [POSTGRES_BIN + "/psql", "-X", "-q", "-A", "-t", "-h", run.directory, "-p", str(port), "-U", "postgres", "-c",
             "select sum(length(name)) from items where id %% 4 = %d" % i, "postgres"], env=dict(run.env, **env),
            cwd=run.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **who) for i in range(4)]
        out += "".join(b.communicate(timeout=DEADLINE_S)[0].decode() for b in backends)
    return out

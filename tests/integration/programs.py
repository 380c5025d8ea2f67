# programs.py - real command-line programs, each run so that its output is the same every time it is run.
# Each function takes a Run and returns what the program made; nothing here knows which allocator is in use.

import hashlib
import os
import subprocess


class Run:
    """One run of a program: its environment, an empty directory, and a way to look at its processes."""

    def __init__(self, env, directory, inspect):
        self.env = env
        self.directory = directory
        self.inspect = inspect  # inspect(pid, what): called on processes of servers while they run

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as stream:
            stream.write(text)
        return self.path(name)

    def output(self, *command, code=0, stdin=b"", **popen):
        """Standard output and error of a command, which must end with the given exit code."""
        env = dict(self.env, **popen.pop("env", {}))
        done = subprocess.run(command, env=env, cwd=self.directory, input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, check=False, **popen)
        text = done.stdout.decode(errors="replace")
        if done.returncode != code:
            raise AssertionError("%s: exit code %d instead of %d\n%s" %
                                 (" ".join(command), done.returncode, code, text[-2000:]))
        return text


PYTHON = """
import collections, hashlib, json, random, re, sqlite3, subprocess, threading, zlib
random.seed(7)
words = [''.join(random.choices('abcdefgh', k=random.randint(1, 40))) for _ in range(60000)]
table = collections.defaultdict(list)
for number, word in enumerate(words):
    table[word[:3]].append((number, word))
text = json.dumps({k: v for k, v in sorted(table.items())})
print(len(text), hashlib.sha256(text.encode()).hexdigest())
print(len(json.loads(text)), len(re.findall('a[bc]+d', text)), zlib.crc32(zlib.compress(text.encode(), 6)))
results = [0] * 6
def work(i):
    rows = [list(range(n % 300)) for n in range(4000 + i)]
    rows.sort(key=len)
    results[i] = sum(map(len, rows))
threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
[t.start() for t in threads]
[t.join() for t in threads]
print(results)
db = sqlite3.connect(':memory:')
db.execute('create table t(a, b)')
db.executemany('insert into t values(?, ?)', enumerate(words))
print(db.execute('select count(distinct b), max(length(b)) from t').fetchone())
print(subprocess.run(['/bin/sh', '-c', 'echo from a child; exit 3'], capture_output=True))
big = bytearray(50_000_000)
big.extend(b'x' * 1000)
print(len(big), sum(big[-1000:]))
"""


def python3(run):
    script = run.write("program.py", PYTHON)
    return run.output("/usr/bin/python3", script, env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "1"})


SQL = """
create table items(id integer primary key, name text, size real, extra blob);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
  insert into items select i, 'item number ' || (i * 7919 % 60013), i * 0.25, zeroblob(i % 300) from n;
create index by_name on items(name);
select count(*), sum(length(extra)), avg(size) from items;
select substr(name, 1, 14) as g, count(*), group_concat(id) from items where id % 97 = 0 group by g order by g limit 40;
update items set name = upper(name) || hex(extra) where id % 11 = 0;
delete from items where id % 3 = 0;
vacuum;
select count(*), max(length(name)) from items;
select a.name, b.id from items a join items b on b.id = a.id + 2 order by a.name desc, b.id limit 20;
pragma integrity_check;
"""


def sqlite3(run):
    run.write("script.sql", SQL)
    out = run.output("/usr/bin/sqlite3", run.path("test.db"), ".read script.sql")
    return out + hashlib.sha256(open(run.path("test.db"), "rb").read()).hexdigest()


PERL = r"""
use strict; use warnings;
my ($x, %count, @rows) = (12345);
for my $i (1 .. 150000) {
  $x = ($x * 1103515245 + 12345) % 2147483648;
  my $word = join '', map { chr(97 + (($x >> $_) % 26)) } 0 .. $x % 12;
  $count{$word}++;
  push @rows, [ $i, $word ] if $x % 50 == 0;
}
my $text = join "\n", map { "$_->[1]:$_->[0]" } sort { $a->[1] cmp $b->[1] or $a->[0] <=> $b->[0] } @rows;
my $hits = () = $text =~ /([aeiou]{2,})/g;
(my $changed = $text) =~ s/(\w)(\w)/$2$1/g;
print scalar(keys %count), " ", length $text, " $hits ", unpack('%32C*', $changed), "\n";
my $s = ''; $s .= "line $_\n" x 3 for 1 .. 40000; print length $s, "\n";
my $pid = fork; if (!$pid) { my @a = map { $_ x 10 } 1 .. 1000; exit 4 } waitpid $pid, 0; print $? >> 8, "\n";
"""


def perl(run):
    return run.output("/usr/bin/perl", run.write("program.pl", PERL), env={"PERL_HASH_SEED": "0"})


LUA = r"""
local x, count, rows = 1, {}, {}
for i = 1, 300000 do
  x = (x * 1103515245 + 12345) % 2147483648
  local key = string.format("%x", x % 5003)
  count[key] = (count[key] or 0) + 1
  if x % 40 == 0 then rows[#rows + 1] = { i, key, string.rep(key, x % 30) } end
end
table.sort(rows, function(a, b) if a[2] ~= b[2] then return a[2] < b[2] end return a[1] < b[1] end)
local parts = {}
for i, row in ipairs(rows) do parts[i] = row[2] .. row[3] end
local text = table.concat(parts, ",")
local sum = 0
for word in text:gmatch("%w+") do sum = (sum * 31 + #word) % 1000000007 end
print(#rows, #text, sum)
rows = nil; collectgarbage()
local co = {}
for i = 1, 2000 do co[i] = coroutine.wrap(function() for j = 1, 3 do coroutine.yield(i * j) end end) end
local total = 0
for j = 1, 3 do for i = 1, 2000 do total = total + co[i]() end end
print(total)
"""


def lua(run):
    return run.output("/usr/bin/lua5.4", run.write("program.lua", LUA))


CXX = """
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>
template <typename T> struct Tree {
  std::map<std::string, std::vector<T>> nodes;
  void add(const std::string& k, T v) { nodes[k].push_back(v); }
};
int main() {
  Tree<int> a; Tree<std::shared_ptr<std::string>> b; std::unordered_map<int, std::string> c;
  for (int i = 0; i < 20000; ++i) {
    a.add(std::to_string(i % 100), i);
    b.add(std::to_string(i % 7), std::make_shared<std::string>(i % 50, 'x'));
    c[i] = std::to_string(i) + " and some more text";
  }
  std::string all;
  for (auto& [k, v] : a.nodes) { std::sort(v.rbegin(), v.rend()); all += k + ":" + std::to_string(v.front()) + ";"; }
  const std::regex pattern("([0-9]+):([0-9]+);");
  std::cout << std::distance(std::sregex_iterator(all.begin(), all.end(), pattern), {}) << ' ' << c.size() << ' '
            << b.nodes["3"].size() << '\\n';
  try { throw std::runtime_error(all.substr(0, 20)); } catch (const std::exception& e) { std::cout << e.what() << '\\n'; }
}
"""


def gxx(run):
    run.write("program.cc", CXX)
    out = run.output("/usr/bin/g++", "-std=c++20", "-O2", "-g", "-Wall", "program.cc", "-o", "program")
    binary = hashlib.sha256(open(run.path("program"), "rb").read()).hexdigest()
    return out + binary + "\n" + run.output(run.path("program"))


def git(run):
    env = {
        "HOME": run.directory, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b",
    }

    def command(*words, day=1):
        date = "2024-01-%02dT12:00:00Z" % day
        return run.output("/usr/bin/git", "-c", "pack.threads=1", *words,
                          env=dict(env, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date))

    out = command("init", "-q", "-b", "main")
    for day in range(1, 13):
        for name in range(25):
            run.write("file%d.txt" % name, "".join("line %d of %d\n" % (n * day % 83, name) for n in range(400)))
        run.write("new%d.txt" % day, "day %d\n" % day)
        out += command("add", "-A", ".") + command("commit", "-q", "-m", "day %d" % day, day=day)
        if day == 6:
            out += command("branch", "side")
    out += command("checkout", "-q", "side")
    run.write("side.txt", "side\n")
    out += command("add", "side.txt") + command("commit", "-q", "-m", "side", day=20)
    out += command("merge", "-q", "-m", "merge", "main", day=21)
    out += command("gc", "--quiet", "--prune=now")
    out += command("fsck", "--full", "--strict", "--no-progress")
    out += command("log", "--stat", "--all", "--date-order")
    out += command("diff", "main~5", "main", "--", "file3.txt")
    out += command("rev-parse", "HEAD")
    return out


BASH = r"""
declare -A count; list=()
fib() { if (($1 < 2)); then echo "$1"; else echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); fi; }
for i in {1..6000}; do w="word$((i * 7919 % 131))"; ((count[$w]++)); list+=("$w-$i"); done
for w in "${!count[@]}"; do echo "$w ${count[$w]}"; done | sort | tail -n 5
echo "${#list[@]} ${list[*]:100:4}"
s=; for i in {1..3000}; do s+="$i,"; done; echo "${#s} ${s//1/one}" | cksum
fib 9
cat <<END | tr a-z A-Z | while read -r line; do echo "<$line>"; done
here is a document with $((6 * 7))
and a second line
END
(exit 9); echo "subshell: $?"
coproc { while read -r x; do echo "co $x"; done; }
echo hello >&"${COPROC[1]}"; read -r y <&"${COPROC[0]}"; echo "$y"; exec {COPROC[1]}>&-
for i in {1..40}; do /bin/true & done; wait; echo waited
printf '%s\n' "${list[@]}" | grep -c 'word1[0-9]*-' ; [[ "abc123" =~ ([a-z]+)([0-9]+) ]] && echo "${BASH_REMATCH[2]}"
exit 6
"""


def bash(run):
    return run.output("/bin/bash", run.write("program.sh", BASH), code=6)

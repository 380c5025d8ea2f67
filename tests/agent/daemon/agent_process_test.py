"""The real alloc-agent and allocctl, from outside: readiness, reflection, health, a call by reflection alone, TLS,
second agents, wrong options, and the end by signal.  usage: agent_process_test.py ALLOC_AGENT ALLOCCTL"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

AGENT, ALLOCCTL = sys.argv[1:3]
REFLECTION = "grpc.reflection.v1alpha"
SERVICES = ["Targets", "Stats", "Profiles"]
TIMEOUT = 60


def reflection_messages():
    """The part of the reflection protocol that is used here, in a pool of its own."""
    file = descriptor_pb2.FileDescriptorProto(name="r.proto", package=REFLECTION, syntax="proto3")

    def message(name, *fields):
        out = file.message_type.add(name=name)
        for number, field, kind, repeated, type_name in fields:
            out.field.add(name=field, number=number, type=kind, label=3 if repeated else 1,
                          type_name=type_name)

    string, blob, submessage = 9, 12, 11
    message("ServerReflectionRequest", (3, "file_by_filename", string, 0, None),
            (4, "file_containing_symbol", string, 0, None), (7, "list_services", string, 0, None))
    message("FileDescriptorResponse", (1, "file_descriptor_proto", blob, 1, None))
    message("ServiceResponse", (1, "name", string, 0, None))
    message("ListServiceResponse",
            (1, "service", submessage, 1, f".{REFLECTION}.ServiceResponse"))
    message("ServerReflectionResponse",
            (4, "file_descriptor_response", submessage, 0, f".{REFLECTION}.FileDescriptorResponse"),
            (6, "list_services_response", submessage, 0, f".{REFLECTION}.ListServiceResponse"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return [factory.GetPrototype(pool.FindMessageTypeByName(f"{REFLECTION}.ServerReflection{n}"))
            for n in ("Request", "Response")]


class ReflectedClient:
    """A client that knows nothing but what the server says about itself."""

    def __init__(self, channel):
        self.channel = channel
        self.request, response = reflection_messages()
        self.info = channel.stream_stream(
            f"/{REFLECTION}.ServerReflection/ServerReflectionInfo",
            request_serializer=self.request.SerializeToString,
            response_deserializer=response.FromString)
        self.pool = descriptor_pool.DescriptorPool()
        self.known = set()

    def ask(self, **question):
        return next(self.info(iter([self.request(**question)]), timeout=TIMEOUT))

    def services(self):
        return {s.name for s in self.ask(list_services="*").list_services_response.service}

    def learn(self, reply):
        for blob in reply.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(blob)
            if file.name in self.known:
                continue
            self.known.add(file.name)
            for name in file.dependency:
                self.learn(self.ask(file_by_filename=name))
            self.pool.Add(file)

    def call(self, service, method, /, **fields):
        self.learn(self.ask(file_containing_symbol=service))
        found = self.pool.FindServiceByName(service).methods_by_name[method]
        factory = message_factory.MessageFactory(self.pool)
        request = factory.GetPrototype(found.input_type)(**fields)
        response = factory.GetPrototype(found.output_type)
        return self.channel.unary_unary(
            f"/{service}/{method}", request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=response.FromString)(request, timeout=TIMEOUT)


class AgentProcess:
    def __init__(self, directory, *flags):
        command = [AGENT, "--shm-dir", directory, "--http-listen", "127.0.0.1:0", *flags]
        if "--grpc-listen" not in flags:
            command += ["--grpc-listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.ready = self.process.stdout.readline()
        match = re.fullmatch(r"alloc-agent ready grpc=(\S+) http=(\S+) shm-dir=(\S+)\n", self.ready)
        self.grpc, self.http, self.shm_dir = match.groups() if match else (None, None, None)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode


def channel(address, credentials=None):
    options = [("grpc.enable_http_proxy", 0)]
    if credentials:
        return grpc.secure_channel(address, credentials, options=options)
    return grpc.insecure_channel(address, options=options)


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=TIMEOUT)


class AgentTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="liballoc-agent-")
        self.addCleanup(shutil.rmtree, self.directory)
        os.environ.pop("LIBALLOC_AGENT", None)

    def start(self, *flags):
        agent = AgentProcess(self.directory, *flags)
        self.addCleanup(agent.process.stderr.close)
        self.addCleanup(agent.process.stdout.close)
        self.addCleanup(lambda: agent.process.poll() is None and agent.end())
        if not agent.grpc:
            self.fail(f"not ready: {agent.ready!r} {agent.process.stderr.read()}")
        return agent

    def test_reflection_describes_services_and_health(self):
        agent = self.start()
        with channel(agent.grpc) as c:
            client = ReflectedClient(c)
            names = client.services()
            for service in SERVICES:
                self.assertIn(f"liballoc.telemetry.v1.{service}", names)
                reply = client.call("grpc.health.v1.Health", "Check",
                                    service=f"liballoc.telemetry.v1.{service}")
                self.assertEqual(reply.status, 1)
            self.assertEqual(client.call("grpc.health.v1.Health", "Check").status, 1)
            listed = client.call("liballoc.telemetry.v1.Targets", "ListProcesses")
            self.assertEqual(len(listed.processes), 0)
            self.assertGreater(listed.time.seconds, 1500000000)
            with self.assertRaises(grpc.RpcError) as refused:
                client.call("liballoc.telemetry.v1.Stats", "GetMemStats", process={"pid": 4711})
            self.assertEqual(refused.exception.code(), grpc.StatusCode.NOT_FOUND)
            self.assertIn("4711", refused.exception.details())

    def test_signals_end_it_with_status_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.assertEqual(self.start().end(number), 0)

    def test_ends_in_spite_of_a_client_that_holds_a_stream(self):
        agent = self.start()
        with channel(agent.grpc) as c:
            client = ReflectedClient(c)
            client.learn(client.ask(file_containing_symbol="liballoc.telemetry.v1.Targets"))
            factory = message_factory.MessageFactory(client.pool)
            method = client.pool.FindServiceByName(
                "liballoc.telemetry.v1.Targets").methods_by_name["WatchProcesses"]
            stream = c.unary_stream(
                "/liballoc.telemetry.v1.Targets/WatchProcesses",
                request_serializer=lambda m: m.SerializeToString(),
                response_deserializer=factory.GetPrototype(method.output_type).FromString,
            )(factory.GetPrototype(method.input_type)(), timeout=TIMEOUT)
            self.assertEqual(len(next(stream).processes), 0)
            self.assertEqual(agent.end(), 0)
            with self.assertRaises(grpc.RpcError) as ended:
                next(stream)
            self.assertEqual(ended.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_a_second_agent_on_the_same_address_fails_clearly(self):
        path = f"unix:{self.directory}/agent.sock"
        first = self.start("--grpc-listen", "127.0.0.1:0", "--grpc-listen", path)
        tcp = first.grpc.split(",")[0]
        for address, why in ((tcp, "Address already in use"), (path, "another process serves it")):
            second = run(AGENT, "--shm-dir", self.directory, "--grpc-listen", address,
                         "--http-listen", "127.0.0.1:0")
            self.assertEqual(second.returncode, 1)
            self.assertEqual(second.stdout, "")
            self.assertIn(f"cannot listen on {address}: {why}", second.stderr)
            self.assertEqual(len(second.stderr.splitlines()), 1, second.stderr)
            self.assertEqual(run(ALLOCCTL, "ps", "--agent", address).returncode, 0)
        http = run(AGENT, "--shm-dir", self.directory, "--grpc-listen", "127.0.0.1:0",
                   "--http-listen", first.http)
        self.assertEqual(http.returncode, 1)
        self.assertIn(first.http, http.stderr)

    def test_a_socket_of_a_killed_agent_is_served_again(self):
        path = f"unix:{self.directory}/agent.sock"
        self.assertEqual(self.start("--grpc-listen", path).end(signal.SIGKILL), -signal.SIGKILL)
        self.assertTrue(os.path.exists(f"{self.directory}/agent.sock"))
        self.start("--grpc-listen", path)
        self.assertEqual(run(ALLOCCTL, "ps", "--agent", path).returncode, 0)
        self.assertEqual(os.stat(f"{self.directory}/agent.sock").st_mode & 0o777, 0o600)

    def test_http_serves_too(self):
        agent = self.start()
        host, port = agent.http.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertTrue(connection.recv(64).startswith(b"HTTP/1.1 200 "))

    def test_wrong_options_end_with_status_2(self):
        for flags, word in (("--retain-exited 5x", '"5x"'), ("--grpc-listen 0.0.0.0:1", "--tls-cert"),
                            ("--token-file x", "not supported by this version"),
                            ("--bogus", "--bogus")):
            wrong = run(AGENT, *flags.split())
            self.assertEqual(wrong.returncode, 2, flags)
            self.assertIn(flags.split()[0], wrong.stderr)
            self.assertIn(word, wrong.stderr)
        self.assertRegex(run(AGENT, "--version").stdout, r"^alloc-agent \d+\.\d+\.\d+\n$")

    def test_mutual_tls_admits_only_clients_with_a_certificate(self):
        def openssl(*words):
            subprocess.run(["openssl", *words], cwd=self.directory, check=True, capture_output=True)

        def read(name):
            with open(f"{self.directory}/{name}", "rb") as file:
                return file.read()

        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out",
                "ca.pem", "-subj", "/CN=test ca", "-days", "2")
        with open(f"{self.directory}/ext", "w", encoding="ascii") as file:
            file.write("subjectAltName=IP:127.0.0.1,DNS:localhost")
        for name in ("server", "client"):
            openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out",
                    f"{name}.csr", "-subj", f"/CN={name}")
            openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                    "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", "ext")
        path = f"{self.directory}/"
        agent = self.start("--tls-cert", path + "server.pem", "--tls-key", path + "server.key",
                           "--tls-client-ca", path + "ca.pem")
        tls = ["--agent", agent.grpc, "--tls-ca", path + "ca.pem"]
        own = ["--tls-cert", path + "client.pem", "--tls-key", path + "client.key"]
        admitted = run(ALLOCCTL, "ps", *tls, *own)
        self.assertEqual(admitted.returncode, 0, admitted.stderr)
        self.assertEqual(run(ALLOCCTL, "ps", *tls).returncode, 4, "no certificate")
        self.assertEqual(run(ALLOCCTL, "ps", "--agent", agent.grpc).returncode, 4, "no TLS")
        good = grpc.ssl_channel_credentials(read("ca.pem"), read("client.key"), read("client.pem"))
        with channel(agent.grpc, good) as c:
            self.assertIn("liballoc.telemetry.v1.Stats", ReflectedClient(c).services())

    def test_allocctl_talks_to_it(self):
        agent = self.start()
        listed = run(ALLOCCTL, "ps", "--json", "--agent", agent.grpc)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertEqual(json.loads(listed.stdout)["processes"], [])
        os.environ["LIBALLOC_AGENT"] = agent.grpc
        self.assertEqual(run(ALLOCCTL, "stats").returncode, 5)
        self.assertEqual(run(ALLOCCTL, "spans", "1").returncode, 5)
        self.assertEqual(run(ALLOCCTL, "sampling", "1").returncode, 3)
        self.assertEqual(agent.end(), 0)
        self.assertEqual(run(ALLOCCTL, "ps").returncode, 4)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

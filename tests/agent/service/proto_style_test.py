"""The style of liballoc.telemetry.v1, checked on the compiled descriptors: every element is commented, enums start with
_UNSPECIFIED, names and packages are what buf's default rules ask for, requests and responses belong to one method."""
import re
import sys

from google.protobuf import descriptor_pb2

PACKAGE = "liballoc.telemetry.v1"
# Field numbers of FileDescriptorProto and its parts, as they appear in source locations.
MESSAGE, ENUM, SERVICE = 4, 5, 6
FIELD, NESTED_ENUM, VALUE, METHOD = 2, 4, 2, 2


def snake_upper(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()


def problems_of(file):
    comments = {tuple(l.path): l.leading_comments.strip() for l in file.source_code_info.location}

    def commented(path, name):
        comment = comments.get(tuple(path), "")
        if not comment:
            yield f"{name}: no comment"
        elif not comment.endswith((".", ":")):
            yield f"{name}: the comment is no sentence: {comment!r}"

    for i, message in enumerate(file.message_type):
        yield from commented([MESSAGE, i], message.name)
        for j, field in enumerate(message.field):
            name = f"{message.name}.{field.name}"
            yield from commented([MESSAGE, i, FIELD, j], name)
            if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", field.name):
                yield f"{name}: not lower_snake_case"
            numeric = field.type in (field.TYPE_UINT32, field.TYPE_UINT64, field.TYPE_BOOL)
            comment = comments.get((MESSAGE, i, FIELD, j), "")
            words = r"False means" if field.type == field.TYPE_BOOL else r"0 |0:|[Nn]ever 0|no heap yet"
            if numeric and not re.search(words, comment):
                yield f"{name}: the comment does not say what zero means"
            if message.name == "MemStats" and field.type == field.TYPE_UINT64:
                if not re.match(r"\s*(Gauge|Counter)[,.]", comment):
                    yield f"{name}: neither called a gauge nor a counter"
        if message.enum_type:
            yield f"{message.name}: has a nested enum"
    for i, enum in enumerate(file.enum_type):
        yield from commented([ENUM, i], enum.name)
        prefix = snake_upper(enum.name) + "_"
        if enum.value[0].number != 0 or enum.value[0].name != prefix + "UNSPECIFIED":
            yield f"{enum.name}: does not start with {prefix}UNSPECIFIED = 0"
        for j, value in enumerate(enum.value):
            yield from commented([ENUM, i, VALUE, j], value.name)
            if not value.name.startswith(prefix):
                yield f"{value.name}: does not start with {prefix}"
    for i, service in enumerate(file.service):
        yield from commented([SERVICE, i], service.name)
        for j, method in enumerate(service.method):
            yield from commented([SERVICE, i, METHOD, j], method.name)
            if method.input_type != f".{PACKAGE}.{method.name}Request":
                yield f"{method.name}: takes {method.input_type}"
            if method.output_type != f".{PACKAGE}.{method.name}Response":
                yield f"{method.name}: returns {method.output_type}"


def main():
    files = descriptor_pb2.FileDescriptorSet()
    with open(sys.argv[1], "rb") as protoset:
        files.ParseFromString(protoset.read())
    ours = [f for f in files.file if f.name.startswith("liballoc/")]
    found = []
    services = set()
    for file in ours:
        if file.package != PACKAGE or not file.name.startswith(PACKAGE.replace(".", "/") + "/"):
            found.append(f"{file.name}: package {file.package}")
        found += [f"{file.name}: {p}" for p in problems_of(file)]
        services |= {s.name for s in file.service}
    if services != {"Targets", "Stats", "Profiles", "Spans", "Events"}:
        found.append(f"services are {sorted(services)}")
    if len(ours) != 7:
        found.append(f"{len(ours)} files, 7 expected")
    print("\n".join(found) or f"{len(ours)} files keep the style")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

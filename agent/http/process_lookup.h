// process_lookup.h - from what a client calls a process to its snapshot. Reads the registry only.
#pragma once

#include <memory>
#include <string>

#include "agent/base/result.h"
#include "agent/http/url.h"
#include "agent/model/registry.h"
#include "agent/model/snapshot.h"

namespace liballoc::agent {

// `name` is a decimal pid, a segment key ("liballoc.12.3456"), or empty for the only running
// process. Among processes of one pid a running one is meant; several running ones (in different
// PID namespaces) need the key. Errors: kInvalidArgument (malformed or ambiguous; the message lists
// the candidates) and kNotFound.
Result<std::shared_ptr<const Snapshot>> look_up_process(const Registry& registry,
                                                        const std::string& name);

// The process that path and query mean together: `from_path`, else the parameter pid, else the only
// running one.
Result<std::shared_ptr<const Snapshot>> look_up_process(const Registry& registry, const Url& url,
                                                        const std::string& from_path);

}  // namespace liballoc::agent

// pages.h - the small HTML pages. Every foreign string is escaped; no script, no external resource.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/http/message.h"
#include "agent/model/snapshot.h"

namespace liballoc::agent {


std::string html_escape(std::string_view text);

// "/": the processes, with links to their profiles.
HttpResponse process_list_page(const std::vector<SnapshotPtr>& processes);

// ".../debug/pprof/": the profiles of one process. Links are relative to that path.
HttpResponse profile_list_page(const Snapshot& process);

}  // namespace liballoc::agent

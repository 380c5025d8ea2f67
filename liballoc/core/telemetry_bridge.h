// telemetry_bridge.h - from the heap's terms to the segment's: span changes to records and events, figures to memstats.
#pragma once

#include "liballoc/core/thread.h"

namespace liballoc {

// Connects the heap's observer. Once, at start.
void bridge_install();
// Gives every span that exists a record in a new segment.
void bridge_publish_all_spans();
// Writes memstats as they are now. No lock of ours may be held.
void bridge_publish_memstats();

}  // namespace liballoc

// telemetry_bridge.h - from the heap's terms to the segment's: span changes to records and events, figures to memstats.
#pragma once

#include "liballoc/core/thread.h"

namespace liballoc {

// Connects the heap's observer. Once, at start.
void bridge_install();
// The records that spans have are of a segment that is no more. Before another is made.
void bridge_forget_all_spans();
// Gives every span that exists a record in a new segment, and tells of each in the ring if asked to: then the ring alone leads
// to the table.
void bridge_publish_all_spans(bool with_events);
// Keeps the profile of the heap as it is now as that of its peak. No lock of ours may be held.
void bridge_record_peak(Thread& thread);
// Writes memstats as they are now. No lock of ours may be held.
void bridge_publish_memstats();

}  // namespace liballoc

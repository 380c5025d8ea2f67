// own_image.h - the library's own code, mapped at the start by one system call instead of a fault per window of it. Changes no
// contents and no state; where the kernel does not know the call nothing happens.
#pragma once

namespace liballoc {

void map_own_image();

}  // namespace liballoc

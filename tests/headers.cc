// headers.cc - nothing: a target with precompiled headers has to have a source.

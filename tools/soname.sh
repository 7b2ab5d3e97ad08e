#!/bin/sh
# The name under which the dynamic linker knows a library: "libjq.so.1" for jq.
#
#   tools/soname.sh LIBRARY COMPILER...
set -eu
library=$1
shift
path=$("$@" -print-file-name="lib$library.so")
readelf -d "$path" | sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p' | grep .

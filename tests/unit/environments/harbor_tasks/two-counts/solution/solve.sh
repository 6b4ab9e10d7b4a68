#!/bin/bash
. /solution/count.sh
count -l > "$OUT/lines.txt"
count -w > "$OUT/words.txt"

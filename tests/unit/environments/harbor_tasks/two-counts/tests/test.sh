#!/bin/bash
told() { if [ "$(tr -d '[:space:]' < "/data/$1" 2>/dev/null)" = "$2" ]; then echo 1; else echo 0; fi; }
printf '{"lines": %s, "words": %s}\n' "$(told lines.txt "$LINES")" "$(told words.txt 6)" > /logs/verifier/reward.json

#!/bin/bash
sort -u names.txt > "$ANSWER_FILE"

count() { wc "$1" < "$TEXT"; }

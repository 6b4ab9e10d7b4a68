"""What the tests must notice, by area: each file holds ``MODULES``, and ``drawn`` draws further ones by itself."""

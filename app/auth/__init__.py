"""Who is it, and may they: keys of back-office tools, tokens of browsers, origins of pages."""

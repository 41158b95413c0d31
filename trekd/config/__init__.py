"""
The configuration: one schema as data, and a loader from TOML text to frozen sections (STYLE §8).

Entry points: L{trekd.config.loader.load} turns text into a L{trekd.config.schema.Config};
L{trekd.config.sample} writes the commented sample file.  Nothing here reads a file, and nothing but
the schema declares a key.
"""

"""What every benchmark is built on: cells that resume, code versions, statistics, tables, plots."""

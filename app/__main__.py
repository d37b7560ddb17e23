"""`python -m app` is `wsx`."""

from app.cli import main

if __name__ == "__main__":
    main()

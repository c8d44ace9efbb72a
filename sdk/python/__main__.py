"""What the engine starts: `python <this folder>`. See sdk/protocol/README.md."""

if __name__ == "__main__":
    from motia._worker.main import main

    main()

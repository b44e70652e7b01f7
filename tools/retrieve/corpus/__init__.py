"""A corpus on disk: items, vectors, words; built from files and searched by the retriever."""

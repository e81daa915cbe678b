# /// script
# requires-python = ">=3.11"
# dependencies = ["hf-transfer-plugin[demo]"]
# ///
"""Cluster the features of a checkpoint without labels, and judge them against raw features.

    python recipes/clustering.py --config recipes/configs/text_classification/trec6_clusters.yaml

Any config of a run will do: its data, checkpoint, seeds, margin and confidence are read.
"""

from __future__ import annotations

import argparse

from hf_transfer_plugin import cluster_comparison, load_config, session


def main() -> None:
    """Read the config, cluster, print the table and where the picture lies."""
    parser = argparse.ArgumentParser(description="Clusters of transferred features")
    parser.add_argument("--config", required=True, help="a YAML file of configs/")
    parser.add_argument("--method", default="k-means", choices=("k-means", "agglomerative"))
    parser.add_argument("--components", type=int, default=50, help="principal components; 0: all")
    parser.add_argument("--whiten", action="store_true", help="components of equal variance")
    parser.add_argument("--examples", type=int, default=1000, help="rows of train")
    parser.add_argument("--projection", default="pca", choices=("pca", "tsne"))
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as seeds=3")
    arguments = parser.parse_args()

    found = cluster_comparison(
        load_config(arguments.config, arguments.overrides),
        method=arguments.method,
        components=arguments.components or None,
        whiten=arguments.whiten,
        examples=arguments.examples,
        projection=arguments.projection,
    )
    print(f"{found.examples:,} examples, {found.clusters} clusters, {found.method}")
    for features, scores in found.scores.items():
        for score, values in scores.items():
            line = f"{features:<15}{score:<20}{sum(values) / len(values):>7.3f}"
            verdict = found.verdicts.get(f"{features} {score}")
            if verdict is not None:
                line += f"  transferred {verdict.difference:+.3f}"
                line += f" [{verdict.lower:+.3f}, {verdict.upper:+.3f}] {verdict.outcome}"
            print(line)
    print(f"without labels: {found.chosen} clusters have the largest silhouette")
    print("written: " + ", ".join(found.files))


if __name__ == "__main__":
    with session():
        main()

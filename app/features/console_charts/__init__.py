"""How busy this node is, as charts: sampled once a second into a bounded ring, and only while somebody watches."""

from app.features.console_charts.drawing import Chart, charts
from app.features.console_charts.samples import Sample, Samples

__all__ = ["Chart", "Sample", "Samples", "charts"]

for (const element of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(element.nextElementSibling.textContent);
  Plotly.newPlot(element, figure.data, figure.layout, { responsive: true, displaylogo: false });
}

// The atlases of a service.

export default function ListPage() {
  return <main class="list"><h1>Atlases</h1></main>;
}

import type { PageProps } from "../router";

export default function RoomPage({ params }: PageProps) {
  return <main className="dark">{params.id}</main>;
}
